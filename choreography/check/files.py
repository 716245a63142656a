"""Dapr files that would lose messages for any services: those that a flow keeps, or those that would be rendered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from choreography.check.finding import CheckedFlow, Found
from choreography.render import render_into
from choreography.render.component_lint import judge, judge_flow
from choreography.render.components import STATE_RESILIENCY
from choreography.render.connection_rules import tell_connections
from choreography.render.resources import read_resources
from choreography.topics import STORES_FOLDER


@dataclass(frozen=True, slots=True)
class _Judged:
    """The findings about the folders that sidecars read, and the sentences about their connections."""

    sentences: dict[str, list[Path]]
    connections: tuple[str, ...]


def unsafe(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each finding of the lint of component files about each folder that a sidecar of the flow may read."""
    # A mistake in one source file is in every folder that was rendered from it.
    for sentence, (folder, *others) in _judged(flow).sentences.items():
        file = sentence.partition(": ")[0]
        is_file = file.endswith((".yaml", ".yml"))
        also = f" The same in {', '.join(one.name for one in others)}." if others else ""
        yield Found(
            f"{folder.name}/{file}" if is_file else folder.name,
            f"{folder.name}/{sentence}{also}" if is_file else f"{sentence}{also}",
            "Mend the file it is rendered from in components/, and run `choreography render`.",
            _home(flow, folder, file if is_file else ""),
        )


def connections(flow: CheckedFlow) -> tuple[str, ...]:
    """Return, in sentences, how many connections the sidecars of the flow open to brokers with one for each topic."""
    return _judged(flow).connections


def _judged(flow: CheckedFlow) -> _Judged:
    return flow.once("files", lambda: _judge(flow))


def _judge(flow: CheckedFlow) -> _Judged:
    said: dict[str, list[Path]] = {}
    with _resources(flow) as dapr:
        folders = sorted(path for path in dapr.glob("*") if path.is_dir()) if dapr else []
        brokers = [path for path in folders if path.name != STORES_FOLDER]
        stores = sorted(path for path in dapr.glob(f"{STORES_FOLDER}/*") if path.is_dir()) if dapr else []
        judged = [(folder, judge_flow(folder)) for folder in brokers] + [(folder, judge(folder)) for folder in stores]
        for folder, sentences in judged:
            for sentence in sentences:
                said.setdefault(sentence, []).append(folder)
        told = tuple(one for folder in brokers for one in tell_connections(read_resources(folder)[0]))
    return _Judged(said, told)


@contextmanager
def _resources(flow: CheckedFlow) -> Iterator[Path | None]:
    """Find the folder `dapr` that a flow keeps, or render a temporary one for the check."""
    if flow.folder is None or flow.root is None:
        yield None
    elif (flow.folder / "dapr").is_dir() or not (flow.root / "components").is_dir():
        yield flow.folder / "dapr"
    else:
        with TemporaryDirectory() as folder:
            render_into(Path(folder), ".".join(flow.folder.relative_to(flow.root).parts))
            yield Path(folder) / "dapr"


def _home(flow: CheckedFlow, folder: Path, file: str) -> Path | None:
    """Return the path that a finding shows: for a temporary file, the file that it was rendered from."""
    if flow.folder is None or flow.root is None:
        return None
    if folder.is_relative_to(flow.folder):
        return folder / file if (folder / file).is_file() else folder
    components, in_stores = flow.root / "components", folder.parent.name == STORES_FOLDER
    if file == "resiliency.yaml":
        return components / (STATE_RESILIENCY if in_stores else file)
    return components / ("stores" if in_stores else "brokers") / f"{folder.name}.yaml"
