"""Puts rendered text between two marks of a document, and changes nothing else in it."""

from __future__ import annotations

from pathlib import Path


def put_between(document: Path, begin: str, end: str, text: str) -> None:
    """Replace the text between two lines of a document.

    Raises:
        ValueError: the document has no such place.
    """
    before, begun, rest = document.read_text().partition(begin)
    _, ended, after = rest.partition(end)
    if not begun or not ended:
        raise ValueError(f"{document} has no place for the results. Put these two lines into it: {begin} and {end}")
    document.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}")
