"""Checkout, edited as a developer would: a change that breaks work under way fails the check."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from choreography.analysis.lock import FILE, merged, read_lock, written
from choreography.check import check
from choreography.check.command import run as run_check
from choreography.flow import services_of


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of checkout as a package of its own."""
    folder = tmp_path / "shop_copy"
    here = Path(__file__).parents[3] / "apps/checkout"
    shutil.copytree(here, folder, ignore=shutil.ignore_patterns("__pycache__", "dapr*", "properties.py"))
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace("apps.checkout", "shop_copy"))
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "shop_copy"]:
        del sys.modules[name]


def edited(flow: Path, file: str, *changes: tuple[str, str]) -> None:
    """Edit a file of the copy, and remove its modules from Python's import cache."""
    text = (flow / file).read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (flow / file).write_text(text)
    for name in [name for name in sys.modules if name.split(".")[0] == "shop_copy"]:
        del sys.modules[name]
    importlib.invalidate_caches()


def render_lock(flow: Path) -> None:
    """Render the lock of the copy, as `choreography render` does with the rest."""
    (flow / FILE).write_text(written(merged(read_lock(flow), services_of("shop_copy")), "shop_copy"))


SECOND = '''

class OrderCompletedV2(OrderEvent, type="order.completed.v2", final=True):
    """The order has run its course, and says when."""

    customer_id: Id
'''


def test_a_version_that_its_consumer_does_not_hear_is_found(flow: Path) -> None:
    """S3: order publishes v2 beside v1, and notification, which knows v1, would quarantine every v2."""
    (flow / "contracts.py").write_text((flow / "contracts.py").read_text() + SECOND)
    edited(
        flow,
        "order.py",
        ("    OrderCompleted,\n", "    OrderCompleted,\n    OrderCompletedV2,\n"),
        ("OrderCompleted, OrderCancelled", "OrderCompleted, OrderCompletedV2, OrderCancelled"),
        ("-> Decision[OrderCompleted]", "-> Decision[OrderCompleted | OrderCompletedV2]"),
    )
    render_lock(flow)
    found = {finding.code: finding for finding in check("shop_copy").findings}
    assert found["CHO118"].about == "notification:order.completed.v2"
    assert "notification hears order.completed.v1 and not order.completed.v2" in found["CHO118"].what
    assert "deploy it before order says it" in found["CHO118"].do
    assert run_check("shop_copy") == 1


def test_what_is_renamed_in_a_flow_of_files_fails_its_check(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """H01, H02, H03: a join, a deadline and a field, also after somebody has rendered."""
    assert run_check("shop_copy") == 0
    edited(flow, "shipping.py", ("def dispatch(", "def send_off("))
    edited(flow, "order.py", (', name="overdue")\ndef give_up(', ")\ndef too_late("))
    edited(flow, "notification.py", ("told:", "said:"), ("told=", "said="))
    for _ in range(2):
        capsys.readouterr()
        assert run_check("shop_copy") == 1
        told = " ".join(capsys.readouterr().out.split())
        assert 'name="dispatch"' in told
        assert 'name="overdue"' in told
        assert "told is kept and would be passed over" in told
        render_lock(flow)
