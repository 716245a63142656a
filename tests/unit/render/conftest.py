"""Fixtures that tests of rendered documents share."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = "@asyncapi/specs@6.11.1"
PATIENCE = 120
"""Seconds for a package of 350 kB."""


@pytest.fixture(scope="session")
def asyncapi_schema() -> dict[str, Any]:
    """The JSON schema that the AsyncAPI project publishes, kept beside the other tools of this checkout."""
    folder = ROOT / ".run" / "asyncapi"
    kept = folder / f"{PACKAGE.rpartition('@')[2]}.json"
    if not kept.exists():
        _obtain(folder, kept)
    schema: dict[str, Any] = json.loads(kept.read_text())
    return schema


def _obtain(folder: Path, kept: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not on this machine, and the AsyncAPI project publishes its schema as an npm package.")
    folder.mkdir(parents=True, exist_ok=True)
    command = ["npm", "pack", "--silent", PACKAGE]
    try:
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=PATIENCE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"npm could not bring the AsyncAPI project's schema: {error}")
    with tarfile.open(folder / ended.stdout.strip()) as packed:
        member = packed.extractfile("package/schemas/3.0.0.json")
        assert member is not None
        kept.write_bytes(member.read())
