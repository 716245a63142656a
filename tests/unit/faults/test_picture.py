"""The picture is a picture, also of a run in which nothing happened."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from faults.menu import menu, on_small_disks
from faults.picture import svg
from faults.watching import Suffered


@pytest.mark.parametrize("seconds", [[], [(0.0, 0, 0)], [(float(n), n * 40, n * 38) for n in range(900)]])
def test_it_is_well_formed(seconds: list[tuple[float, int, int]]) -> None:
    """It shows every kind of fault, and leaves out a skipped one."""
    faults = [Suffered(fault.name, fault.kind, place * 10.0, place * 10.0 + 5) for place, fault in enumerate(menu())]
    skipped = Suffered("<no right>", "disk", 1.0, 2.0, skipped="not here")
    drawn = ET.fromstring(svg(seconds, [*faults, skipped], "a & b"))  # noqa: S314 - it is our own
    assert drawn.tag.endswith("svg")
    texts = "".join(drawn.itertext())
    assert all(fault.name in texts for fault in faults)
    assert "<no right>" not in texts


def test_every_fault_has_a_name_of_its_own() -> None:
    """Otherwise a user could not choose one."""
    names = [fault.name for fault in [*menu(), *on_small_disks()]]
    assert len(names) == len(set(names))
    assert {fault.kind for fault in menu() if fault.short} == {"crash", "freeze", "wire", "events", "provider"}
