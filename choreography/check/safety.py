"""Refuses to start sidecars on files that are known to lose messages."""

from __future__ import annotations

from pathlib import Path

from choreography.errors import ChoreographyError
from choreography.render.component_lint import judge_flow


class UnsafeFilesError(ChoreographyError):
    """The Dapr files of a flow would lose messages."""


def refuse_unsafe(folder: Path) -> None:
    """Refuse a folder of Dapr resources that would lose messages.

    Raises:
        UnsafeFilesError: the lint of component files has a finding about it.
    """
    sentences = judge_flow(folder)
    if sentences:
        told = "\n".join(f"  {sentence}" for sentence in sentences)
        raise UnsafeFilesError(
            f"The files in {folder} would lose messages, so nothing is started on them:\n{told}\n"
            "Mend them (rendered ones: in components/, then `choreography render`), and start again."
        )
