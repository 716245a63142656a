"""``python -m choreography.conform.writer``: a process that commits batch after batch until it is killed."""

from __future__ import annotations

import asyncio
import itertools
import sys

from choreography.conform.database_cases import written
from choreography.conform.database_rig import opened
from choreography.engine.operations import Committed, Write
from choreography.stores.address import DatabaseAddress


async def _commit_for_ever(url: str, schema: str, run: str) -> None:
    store = opened(DatabaseAddress.read(url, schema))
    await store.check()
    for number in itertools.count():
        answer = await store.commit([Write(key, "x" * 200, None) for key in written(run, number)])
        if not isinstance(answer, Committed):
            raise SystemExit(str(answer))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    # The URL may hold a password, so it does not appear on a command line.
    asyncio.run(_commit_for_ever(sys.stdin.readline().strip(), *sys.argv[1:3]))
