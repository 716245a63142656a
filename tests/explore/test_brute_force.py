"""The explorer and plain enumeration say the same of every property of hundreds of drawn flows."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.explore.brute.comparing import compared

VERDICTS = 2_000
"""In every run of CI; ``make deep PARTS=explore`` compares 100,000."""

SHARES = {"broken": 1 / 5, "two flows": 1 / 3, "joins": 1 / 3, "deadlines": 1 / 3}


def compared_until(verdicts: int, first: int) -> tuple[Counter[str], list[str]]:
    """Compare one drawn flow after the other, from one seed on."""
    told, wrong, seed = Counter[str](), list[str](), first
    while told["verdicts"] < verdicts:
        # Flows with few worlds are drawn more often, so the choice between the two depends on earlier draws.
        kinds, differences = compared(seed, 2 if told["two flows"] < told["verdicts"] * 0.4 else 1)
        told += kinds
        wrong += differences
        seed += 1
    return told, wrong


def checked(told: Counter[str], wrong: list[str]) -> None:
    """Print the mix, and check it and the verdicts."""
    print(f"\n{dict(told)}")  # noqa: T201 - the mix is for whoever reads the run
    assert not wrong
    for kind, share in SHARES.items():
        assert told[kind] >= told["verdicts"] * share, f"too few: {kind}"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(2))
def test_every_verdict_is_that_of_plain_enumeration(part: int) -> None:
    """This holds with each reduction on and off, and the run is equally short."""
    checked(*compared_until(VERDICTS // 2, 10_000 * part))


@pytest.mark.deep
@pytest.mark.timeout(36_000)
@pytest.mark.parametrize("part", range(10))
def test_a_hundred_thousand_verdicts_are_those_of_plain_enumeration(part: int) -> None:
    """The same comparison, for long."""
    checked(*compared_until(10_000, 1_000_000 * (part + 1)))
