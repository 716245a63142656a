"""The gauge shows how far cleaning is behind, also while it fails."""

from __future__ import annotations

from pathlib import Path

from apps.checkout.order import order
from choreography.stores.address import DatabaseAddress
from choreography.stores.cleaning import Cleaner
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.sqlite import SqliteStore
from choreography.telemetry import Metrics


def behind(metrics: Metrics) -> float:
    """Return the value of the gauge."""
    (found,) = [
        sample.value
        for metric in metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "choreography_expired_seconds"
    ]
    return found


async def test_a_store_that_cannot_be_cleaned_is_seen_to_fall_behind(tmp_path: Path) -> None:
    """A constant gauge would suggest that all is well; it falls once something is deleted again."""
    address, metrics = DatabaseAddress.read(f"sqlite:///{tmp_path}/order.db", "order"), Metrics("order")
    migrate(WantedTables(order, address))
    store = SqliteStore(address, "order")
    await store.check()
    cleaner = Cleaner(store, metrics)
    await cleaner.take_turn()
    assert behind(metrics) == 0
    await store.close()
    for _ in range(2):
        await cleaner.take_turn()
    assert behind(metrics) == 120
    again = Cleaner(SqliteStore(address, "order"), metrics)
    await again.take_turn()
    assert behind(metrics) == 0
