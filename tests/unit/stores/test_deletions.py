"""A transaction may delete: every store used in tests deletes with the rest of it, or not at all."""

from __future__ import annotations

from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Conflict, Write
from choreography.explore.replicas.rows import Rows, written
from choreography.in_memory import InMemory
from choreography.sidecar.client import SidecarClient
from choreography.stores.through_sidecar import SidecarStore
from tests.unit.engine.toy import desk
from tests.unit.sidecar.fake_sidecar import FakeSidecar

A, B, B2, ABSENT = (Key("desk", "box", name) for name in ("a", "b", "b2", "absent"))


async def test_the_sidecar_is_asked_to_delete_in_the_same_transaction() -> None:
    """The records of an accepted command are deleted by the transaction that makes them superfluous."""
    fake = FakeSidecar()
    async with fake.listening():
        sidecar = SidecarClient(fake.settings())
        store = SidecarStore(sidecar, "statestore")
        try:
            await store.commit([Write(A, "1", None), Write(B, "1", None)])
            assert await store.commit([Write.deletion(A), Write(B, "2", ANY_ETAG)]) == Committed()
            assert isinstance(await store.commit([Write.deletion(B), Write(B2, "1", "stale")]), Conflict)
            assert await store.confirm(A) is None
            assert await store.confirm(B) is not None
        finally:
            await sidecar.close()


def test_the_store_of_the_model_checker_deletes() -> None:
    """With an ETag it deletes only a record that still has it; without one, a missing record is fine."""
    rows: Rows = ((A, "1", 1), (B, "1", 1))
    assert written(rows, [Write.deletion(A), Write.deletion(ABSENT)]) == ((B, "1", 1),)
    assert isinstance(written(rows, [Write.deletion(A, "etag-7")]), Conflict)


def test_the_store_in_memory_deletes() -> None:
    """Deleting a missing record changes nothing."""
    one = InMemory(desk)
    assert one._commit([Write(A, "1", None)]) == Committed()
    assert one._commit([Write.deletion(A), Write.deletion(ABSENT)]) == Committed()
    assert one._commit([Write(A, "2", None)]) == Committed()
