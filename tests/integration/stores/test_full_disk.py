"""A SQLite file on a disk that is full."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

_CANNOT_MOUNT = 77


async def test_a_full_disk_undoes_a_transaction_whole_and_ends_with_the_disk_having_room(tmp_path: Path) -> None:
    """The result is unknown, so the event is redelivered; earlier commits stay readable."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.stores.full_disk", str(tmp_path / "disk")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode == _CANNOT_MOUNT:
        pytest.skip(errors.decode())
    assert process.returncode == 0, errors.decode()
    seen = json.loads(output)
    assert 0 < seen["committed"] < 200
    assert seen["refused"] == ["Unknown", True]
    assert seen["found"] == sorted(f"{number}-{half}" for number in range(seen["committed"]) for half in "ab")
    assert seen["again"] == "Committed"
    assert seen["found_later"] == 2 * (seen["committed"] + 1)
