"""Rendered Dapr files that would lose messages, whatever the services say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from choreography.check.finding import Checked, Found
from choreography.render.component_lint import judge, judge_flow
from choreography.render.connection_rules import tell_connections
from choreography.render.resources import read_resources
from choreography.topics import STORES_FOLDER


def unsafe(flow: Checked) -> Iterator[Found]:
    """Yield what the lint of component files says about each folder a sidecar of the flow may read."""
    if flow.folder is None:
        return
    said: dict[str, list[Path]] = {}
    brokers, stores = _folders(flow.folder)
    judged = [(folder, judge_flow(folder)) for folder in brokers] + [(folder, judge(folder)) for folder in stores]
    for folder, sentences in judged:
        for sentence in sentences:
            said.setdefault(sentence, []).append(folder)
    # A mistake of one source file is in every folder that was rendered from it.
    for sentence, (folder, *others) in said.items():
        file = sentence.partition(": ")[0]
        is_file = (folder / file).is_file()
        also = f" The same in {', '.join(one.name for one in others)}." if others else ""
        yield Found(
            f"{folder.name}/{file}" if is_file else folder.name,
            f"{folder.name}/{sentence}{also}" if is_file else f"{sentence}{also}",
            "Mend the file it is rendered from in components/, and run `choreography render`.",
            folder / file if is_file else folder,
        )


def connections(flow: Checked) -> tuple[str, ...]:
    """Return in sentences how many connections the sidecars of the flow open, where each topic has its own."""
    if flow.folder is None:
        return ()
    brokers, _ = _folders(flow.folder)
    return tuple(one for folder in brokers for one in tell_connections(read_resources(folder)[0]))


def _folders(flow: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders that a sidecar reads its broker from, and those with a state store."""
    folders = sorted(path for path in (flow / "dapr").glob("*") if path.is_dir())
    stores = sorted(path for path in (flow / "dapr" / STORES_FOLDER).glob("*") if path.is_dir())
    return [path for path in folders if path.name != STORES_FOLDER], stores
