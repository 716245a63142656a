"""Each reduction is broken on purpose, and the comparison with plain enumeration notices."""

from __future__ import annotations

import pytest

from choreography.explore.model import Model
from tests.explore.brute.comparing import compared, wrong_about
from tests.explore.brute.defects import DEFECTS, Defect


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda one: one.name)
def test_a_reduction_that_leaves_out_too_much_is_caught(defect: Defect, monkeypatch: pytest.MonkeyPatch) -> None:
    """It shows as a wrong verdict or as an impossible run; without the defect the verdict is right."""
    assert not _wrong(defect)
    defect.breaks(monkeypatch)
    try:
        assert _wrong(defect)
    except LookupError:
        # The run that is shown goes through a state that does not exist.
        return


def _wrong(defect: Defect) -> list[str]:
    if isinstance(defect.shown_by, Model):
        return wrong_about(defect.shown_by, defect.way)
    told, wrong = compared(defect.shown_by, 2, (defect.way,), defect.faults)
    assert told["verdicts"]
    return wrong
