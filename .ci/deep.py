#!/usr/bin/env python3
"""Runs what takes too long for every change, and records when it last did, on which commit, and how it ended.

``.ci/deep.py`` runs all parts, ``.ci/deep.py explore hurt`` some of them; a part that fails stops no other one.
``.ci/deep.py --age`` runs nothing and says how old the records are. They are in ``docs/deep.json``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
RECORDS: Final = ROOT / "docs/deep.json"
PARTS: Final[Mapping[str, Sequence[str]]] = {
    "explore": ("make", "deep-explore"),
    "dapr-suite": ("make", "deep-dapr-suite"),
    "defects": ("make", "deep-defects"),
    "hurt": ("make", "deep-hurt"),
    "faults": ("make", "faults"),
    "access": ("make", "deep-access"),
    "bench": ("make", "deep-bench"),
}


def run(name: str, records: Path = RECORDS, parts: Mapping[str, Sequence[str]] = PARTS) -> bool:
    """Run one part and record it. True if it passed."""
    began = time.monotonic()
    print(f"\n=== {name}: {' '.join(parts[name])}", flush=True)
    passed = subprocess.run(parts[name], cwd=ROOT, check=False).returncode == 0
    record = {
        "commit": commit(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "passed": passed,
        "seconds": round(time.monotonic() - began),
    }
    # Read again: another part may have been recorded meanwhile.
    told = {**read(records), name: record}
    records.write_text(json.dumps({key: told[key] for key in sorted(told)}, indent=2) + "\n")
    print(f"=== {name} {'passed' if passed else 'FAILED'} ({record['seconds']} s)", flush=True)
    return passed


def commit() -> str:
    """The commit that is checked out, with a plus where its files were changed."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/deep.json")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}+" if changed else head


def ages(records: Path = RECORDS, parts: Mapping[str, Sequence[str]] = PARTS, now: datetime | None = None) -> list[str]:
    """Say of each part when it last ran, and how it ended."""
    told = read(records)
    return [f"{name}: {_age(told[name], now or datetime.now(UTC)) if name in told else 'never run'}" for name in parts]


def read(records: Path) -> dict[str, dict[str, object]]:
    """What was recorded so far."""
    return dict(json.loads(records.read_text())) if records.exists() else {}


def _age(record: Mapping[str, object], now: datetime) -> str:
    days = (now - datetime.fromisoformat(str(record["date"]))).days
    fate = "passed" if record["passed"] else "FAILED"
    when = "today" if days < 1 else f"{days} day{'s' if days > 1 else ''} ago"
    return f"{fate} {when}, at {record['commit']}, in {record['seconds']} s"


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def main(arguments: Sequence[str]) -> int:
    """Do what was asked; 1 is a part that failed, 2 a part that is not known."""
    if arguments == ["--age"]:
        print("\n".join(ages()))
        return 0
    if unknown := [name for name in arguments if name not in PARTS]:
        print(f"{', '.join(unknown)}: no such part. Known are: {', '.join(PARTS)}.", file=sys.stderr)
        return 2
    failed = [name for name in arguments or PARTS if not run(name)]
    print(f"\nFAILED: {', '.join(failed)}" if failed else "\npassed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
