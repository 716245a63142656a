"""Keeps the code that this project is compared with from changing unnoticed: ``python -m bench.frozen``.

A ratio rewards a slow rival. So a change to one of them is recorded with its figures before and after, measured in one
run: ``python -m bench.frozen --record fast_stream --reason "..." --before 152/12500 --after 160/11900``, which are
orders a second and microseconds of CPU for an order.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

RIVALS: Final = ("quickstart", "fast_stream", "fast_stream_outbox", "floor")

_BENCH: Final = Path(__file__).parent
_FIGURES: Final = re.compile(r"\d+(\.\d+)?/\d+(\.\d+)?")


@dataclass(frozen=True)
class Record:
    """One recorded state of a rival's code.

    Attributes:
        date: when it was recorded.
        sha256: the hash of its files.
        reason: the reason of the change.
        before: orders a second and microseconds of CPU for an order before the change; empty for the first record.
        after: the same figures after the change.
    """

    date: str
    sha256: str
    reason: str
    before: str = ""
    after: str = ""


class Frozen:
    """The records of all rivals; the last record of each is that of the required code."""

    def __init__(self, folder: Path = _BENCH) -> None:
        self._folder, self._file = folder, folder / "frozen.json"

    def records(self) -> dict[str, list[Record]]:
        """Return the records of each rival."""
        if not self._file.exists():
            return {}
        return {name: [Record(**one) for one in kept] for name, kept in json.loads(self._file.read_text()).items()}

    def hash_of(self, rival: str) -> str:
        """Return the hash of the files of a rival, with their names."""
        found = hashlib.sha256()
        for path in sorted((self._folder / rival).rglob("*.py")):
            found.update(f"{path.relative_to(self._folder / rival)}\0".encode() + path.read_bytes() + b"\0")
        return found.hexdigest()

    def changed(self, rivals: Sequence[str] = RIVALS) -> list[str]:
        """Return a sentence for each rival whose code differs from its record, with the remedy."""
        known = self.records()
        return [
            f"bench/{rival} is not as recorded, so the ratios of this project to it mean something else than before. "
            "Undo the change, or measure before and after it and record both: see python -m bench.frozen --help."
            for rival in rivals
            if not known.get(rival) or known[rival][-1].sha256 != self.hash_of(rival)
        ]

    def record(self, rival: str, reason: str, before: str = "", after: str = "") -> None:
        """Record the present code of a rival.

        Raises:
            ValueError: a figure is missing, or is not two numbers, or there is no reason.
        """
        kept = self.records()
        if not reason.strip():
            raise ValueError("A record without a reason says nothing. Give one.")
        if kept.get(rival):
            for when, figures in (("before", before), ("after", after)):
                if not _FIGURES.fullmatch(figures):
                    raise ValueError(
                        f"{figures!r} are no figures of {when} the change, so nobody would know what it did to the "
                        "ratios. Give orders a second and µs of CPU for an order, such as 152/12500."
                    )
        today = datetime.now(UTC).date().isoformat()
        kept.setdefault(rival, []).append(Record(today, self.hash_of(rival), reason, before, after))
        self._write(kept)

    def _write(self, kept: Mapping[str, Sequence[Record]]) -> None:
        plain = {rival: [asdict(one) for one in kept[rival]] for rival in sorted(kept)}
        self._file.write_text(json.dumps(plain, indent=2, ensure_ascii=False) + "\n")


def main() -> int:
    """Print the changed rivals, or record a change."""
    parser = argparse.ArgumentParser(prog="python -m bench.frozen", description=__doc__)
    parser.add_argument("--record", choices=RIVALS, metavar="RIVAL", help=f"one of {', '.join(RIVALS)}")
    parser.add_argument("--reason", default="", help="why it was changed, in a line")
    for when in ("before", "after"):
        parser.add_argument(f"--{when}", default="", metavar="ORDERS/CPU", help=f"figures {when} the change")
    options = parser.parse_args()
    frozen = Frozen()
    if options.record:
        try:
            frozen.record(options.record, options.reason, options.before, options.after)
        except ValueError as error:
            parser.error(str(error))
    changed = frozen.changed()
    sys.stdout.write("".join(f"{one}\n" for one in changed) or "every rival is as recorded\n")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
