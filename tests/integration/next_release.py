"""The next release of checkout, made by editing its files as a developer would.

An order keeps a mark from its beginning, and a second version announces its completion, which notification consumes
beside the first. The functions of shipping's join and of the order's deadline have other names, but keep the declared
ones.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

PACKAGE: Final = "checkout_next"

_FLOW: Final = Path(__file__).parents[2] / "apps/checkout"
_SECOND_VERSION: Final = '''

class OrderCompletedV2(OrderCompleted, type="order.completed.v2", final=True):
    """The order has run its course, as the next release says it."""
'''
_SECOND_REACTION: Final = '''

@notification.on(OrderCompletedV2)
def tell_completed_v2(notice: Notice, completed: OrderCompletedV2) -> Decision:
    """Tell the customer, as of the first version."""
    return tell_completed(notice, completed)
'''


def write_next_release(folder: Path) -> Path:
    """Write the package into a folder, and return where it is."""
    package = folder / PACKAGE
    shutil.copytree(_FLOW, package, ignore=lambda at, names: [one for one in names if _is_rendered(Path(at) / one)])
    for file in package.glob("*.py"):
        file.write_text(file.read_text().replace("apps.checkout", PACKAGE))
    _edit(package / "contracts.py", added=_SECOND_VERSION)
    _edit(
        package / "order.py",
        ("OrderCompleted", "OrderCompletedV2"),
        ("    total: Money = 0\n", "    total: Money = 0\n    marks: int = 0\n"),
        ('known.but(status="placed")', 'known.but(status="placed", marks=1)'),
        ("def give_up(", "def ask_to_be_cancelled("),
    )
    _edit(
        package / "shipping.py",
        ("PaymentCharged)\ndef dispatch(", 'PaymentCharged, name="dispatch")\ndef send_off('),
    )
    _edit(
        package / "notification.py",
        ("import OrderCancelled, OrderCompleted\n", "import OrderCancelled, OrderCompleted, OrderCompletedV2\n"),
        added=_SECOND_REACTION,
    )
    return package


def _is_rendered(path: Path) -> bool:
    return path.is_dir() or path.suffix != ".py"


def _edit(file: Path, *changes: tuple[str, str], added: str = "") -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text, f"{file.name} has no {old!r} any more"
        text = text.replace(old, new)
    file.write_text(text + added)
