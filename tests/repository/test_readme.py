"""The README shows the code as it is, and every command and file that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from apps.checkout.contracts import PaymentCharged, ShipmentDispatched, StockReserved
from apps.checkout.shipping import Shipment, shipping
from choreography.testing import given

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def test_every_quoted_block_stands_in_the_file_it_is_quoted_from() -> None:
    """A second copy of a fact is compared with the first."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    counted = 0
    for page in pages:
        quotes = re.findall(r"<!-- from (\S+) -->\n```\w+\n(.*?)```", page.read_text(), re.DOTALL)
        counted += len(quotes)
        for path, quoted in quotes:
            source = _flat((ROOT / path).read_text())
            assert _flat(quoted) in source, f"{page.name} quotes {path}, which says something else now"
    assert counted >= 8


def test_every_make_target_and_file_the_readme_names_exists() -> None:
    """A newcomer types that target."""
    makefile = (ROOT / "Makefile").read_text()
    for target in set(re.findall(r"`?make (\w+)", README)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for path in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_readmes_reaction_test_passes() -> None:
    """The example of a test is a test."""
    paid = PaymentCharged(order_id="o1", amount=1, currency="EUR")
    reserved = StockReserved(order_id="o1")
    given(shipping, paid).when(reserved).then(
        Shipment(order_id="o1", status="dispatched"), ShipmentDispatched(order_id="o1")
    )


def test_every_decision_names_its_cost() -> None:
    """A decision without a cost is a preference."""
    for record in sorted((ROOT / "docs" / "decisions").glob("0*.md")):
        text = record.read_text()
        assert re.match(rf"# {record.name[:4]} ", text), record.name
        for heading in ("Status:", "## Context", "## Decision", "## Cost"):
            assert heading in text, f"{record.name} lacks {heading}"


def _flat(text: str) -> str:
    return re.sub(r"\s+", "", text)
