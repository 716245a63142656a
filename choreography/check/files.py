"""Rendered Dapr files that would lose messages, whatever the services say."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.check.finding import Checked, Found
from choreography.render.component_lint import judge


def unsafe(flow: Checked) -> Iterator[Found]:
    """Yield what the lint of component files says about each folder a sidecar of the flow may read."""
    if flow.folder is None:
        return
    for folder in sorted(path for path in (flow.folder / "dapr").glob("*-*") if path.is_dir()):
        for sentence in judge(folder):
            file = sentence.partition(": ")[0]
            is_file = (folder / file).is_file()
            yield Found(
                f"{folder.name}/{file}" if is_file else folder.name,
                f"{folder.name}/{sentence}",
                "Mend the file it is rendered from in components/, and run `choreography render`.",
                folder / file if is_file else folder,
            )
