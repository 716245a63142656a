"""Commits to a SQLite file until its disk is full, gives the disk room again, and prints as JSON what happened.

It is a process of its own, because a small disk is mounted for a process and its children.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from choreography.engine.identity import Key
from choreography.engine.operations import Committed, Write
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.sqlite import SqliteStore
from faults.disks import fill, make_room, mount_small_disks
from faults.replicated_flow import SkippedError
from tests.integration.databases import ORDER

_MOST = 200
_VALUE = json.dumps({"v": 1, "s": {"status": "placed", "note": "x" * 1024}})


def _batch(number: int) -> list[Write]:
    return [Write(Key("order", "order", f"{number}-{half}"), _VALUE, None) for half in "ab"]


async def _fill(folder: Path) -> dict[str, object]:
    address = DatabaseAddress.read(f"sqlite:///{folder}/order.db", "order")
    migrate(WantedTables(ORDER, address))
    store = SqliteStore(address, "order")
    await store.check()
    result = await store.commit(_batch(0))
    committed = [0]
    fill(folder)
    for number in range(1, _MOST):
        result = await store.commit(_batch(number))
        if not isinstance(result, Committed):
            break
        committed.append(number)
    keys = [write.key for number in range(len(committed) + 1) for write in _batch(number)]
    found = {key.logical_id for key in (await store.read(keys)).found}
    make_room(folder)
    again = await store.commit(_batch(len(committed)))
    found_later = {key.logical_id for key in (await store.read(keys)).found}
    await store.close()
    return {
        "committed": len(committed),
        "refused": [type(result).__name__, getattr(result, "answered", None)],
        "found": sorted(found),
        "again": type(again).__name__,
        "found_later": len(found_later),
    }


def main() -> None:
    """Run in the folder that the command line names; exit with 77 where no disk can be mounted."""
    folder = Path(sys.argv[1])
    try:
        mount_small_disks([folder])
    except SkippedError as reason:
        sys.stderr.write(str(reason))
        sys.exit(77)
    sys.stdout.write(json.dumps(asyncio.run(_fill(folder))))


if __name__ == "__main__":
    main()
