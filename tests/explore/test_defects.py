"""Each way of leaving something out is broken on purpose, and the comparison with plain enumeration notices."""

from __future__ import annotations

import pytest

from tests.explore.brute.comparing import compared
from tests.explore.brute.defects import DEFECTS, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda one: one.name)
def test_a_reduction_that_leaves_out_too_much_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """By another verdict, or by a run that cannot be taken again. Without the defect the flow is judged rightly."""
    told, wrong = compared(defect.seed, 2, (defect.way,), defect.faults)
    assert told["verdicts"]
    assert not wrong
    defect.breaks(monkeypatch)
    assert _caught(defect)


def _caught(defect: Defect) -> bool:
    try:
        _, wrong = compared(defect.seed, 2, (defect.way,), defect.faults)
    except LookupError:
        # The run that is shown goes through a state that does not exist.
        return True
    return bool(wrong)
