"""The code that this project is compared with does not change without figures of before and after."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.frozen import RIVALS, Frozen


@pytest.fixture
def frozen(tmp_path: Path) -> Frozen:
    """One rival, recorded."""
    (tmp_path / "pigeon").mkdir()
    (tmp_path / "pigeon" / "order.py").write_text("x = 1\n")
    found = Frozen(tmp_path)
    found.record("pigeon", "as it was")
    return found


@pytest.mark.parametrize("rival", RIVALS)
def test_every_rival_is_as_recorded(rival: str) -> None:
    """A change needs figures of before and after from one run, recorded with it."""
    assert Frozen().changed([rival]) == []
    for later in Frozen().records()[rival][1:]:
        assert later.reason
        assert later.before
        assert later.after


@pytest.mark.parametrize("change", ["edited", "added", "removed", "renamed"])
def test_any_change_of_its_files_is_noticed(frozen: Frozen, tmp_path: Path, change: str) -> None:
    """A file more or fewer is a change as well."""
    assert frozen.changed(["pigeon"]) == []
    file = tmp_path / "pigeon" / "order.py"
    match change:
        case "edited":
            file.write_text("x = 2\n")
        case "added":
            file.with_name("billing.py").write_text("")
        case "removed":
            file.unlink()
        case _:
            file.rename(file.with_name("stock.py"))
    (said,) = frozen.changed(["pigeon"])
    assert "bench/pigeon is not as recorded" in said


def test_a_rival_that_was_never_recorded_is_noticed(frozen: Frozen) -> None:
    """A new one begins with a record."""
    assert frozen.changed(["goose"])


def test_a_change_is_recorded_with_figures_of_before_and_after(frozen: Frozen, tmp_path: Path) -> None:
    """Without them, a changed ratio could be due to either side."""
    (tmp_path / "pigeon" / "order.py").write_text("x = 2\n")
    for before, after in (("", ""), ("152/12500", ""), ("many", "152/12500")):
        with pytest.raises(ValueError, match="are no figures of"):
            frozen.record("pigeon", "a pool", before, after)
    with pytest.raises(ValueError, match="without a reason"):
        frozen.record("pigeon", " ", "152/12500", "160/11900")
    frozen.record("pigeon", "a pool", "152/12500", "160/11900.5")
    assert frozen.changed(["pigeon"]) == []
    assert [one.reason for one in frozen.records()["pigeon"]] == ["as it was", "a pool"]
