"""`choreography render`: everything outside of Python that follows from a flow's declarations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from choreography.analysis.lock import FILE as LOCK
from choreography.render.access import FOLDER as ACCESS
from choreography.render.access import access_files
from choreography.render.alerts import alert_files
from choreography.render.asyncapi import asyncapi_file
from choreography.render.chart import chart_files, charts_of, stray_files
from choreography.render.contract_lock import lock_file
from choreography.render.dapr import dapr_files
from choreography.render.pages import flow_page, service_pages
from choreography.render.source import RUN, Appearance, RenderSource, source_of

APPEARANCES: Final[tuple[Appearance, ...]] = (
    dapr_files,
    flow_page,
    service_pages,
    asyncapi_file,
    lock_file,
    alert_files,
    access_files,
)
"""The one list of what is rendered."""

_FOLDERS: Final = ("dapr", "docs", "k8s", ACCESS)
"""Folders that hold what is rendered, or once did; `dapr` nothing else."""

_MARKS: Final = (b"# Rendered by ", b"<!-- Rendered by ")


def render(
    flow: str, *, broker: str | None = None, store: str | None = None, topic_prefix: str = ""
) -> dict[Path, str]:
    """Return every file of a flow and its text, for one broker and store or for all of them.

    Its topics begin with the name of the flow, unless another prefix is given.

    Raises:
        FlowError: the flow, or the component file of a broker or store, is not there.
    """
    return _of_flow(source_of(flow, broker, store, topic_prefix))


def write(flow: str, chart: Path | None = None, topic_prefix: str = "") -> list[Path]:
    """Write every file of a flow, remove rendered files that are no longer needed, and return the changed ones.

    Args:
        flow: the package of the flow.
        chart: a folder with a Helm chart to fill with this flow. Charts that hold the flow already are written too.
        topic_prefix: the first part of topics on the broker, instead of the name of the flow.

    Raises:
        FlowError: the flow is not there, or the folder holds no chart.
    """
    source = source_of(flow, None, None, topic_prefix)
    texts = _of_flow(source) | _of_charts(source, {*charts_of(source), *([chart.resolve()] if chart else [])})
    changed = _put(texts)
    return [*changed, *_remove(_strays(source, texts))]


def render_into(
    folder: Path, flow: str, *, broker: str | None = None, store: str | None = None, topic_prefix: str = ""
) -> None:
    """Write the files of a flow into another folder than its own; the lock stays in the flow's own folder.

    Raises:
        FlowError: the flow, or the component file of a broker or store, is not there.
    """
    source = replace(source_of(flow, broker, store, topic_prefix), rendered=folder.resolve())
    texts = {path: text for path, text in _of_flow(source).items() if path.is_relative_to(source.rendered)}
    _put(texts)
    # Files of another broker that were rendered there before stay.
    folders = {path.parent for path in texts}
    _remove(path for path in _rendered_once(source.rendered) if path.parent in folders and path not in texts)


def fill_chart(flow: str, chart: Path) -> list[Path]:
    """Write only the part of a chart that follows from a flow, and return the changed files.

    Raises:
        FlowError: the flow is not there, or the folder holds no chart.
    """
    source = source_of(flow, None, None)
    texts = _of_charts(source, [chart.resolve()])
    changed = _put(texts)
    return [*changed, *_remove(stray_files(chart.resolve(), texts))]


def compare(flow: str, topic_prefix: str = "") -> list[str]:
    """Return, in sentences, how the rendered files of a flow differ from its declarations.

    Files below `.run` are ignored: each program that uses them renders them anew.
    """
    source = source_of(flow, None, None, topic_prefix)
    texts = _of_flow(source) | _of_charts(source, charts_of(source))
    again = f"Run `choreography render {source.name}`."
    differences = []
    for path, text in _kept(source, texts):
        shown = path.relative_to(source.root)
        if not path.exists():
            differences.append(f"{shown} is missing. {again}")
        elif path.read_text() != text:
            differences.append(f"{shown} differs from what the declarations say. {again}")
    differences += [
        f"{path.relative_to(source.root)} is not rendered from anything, but a sidecar would read it. Remove it."
        if path.is_relative_to(source.rendered / "dapr")
        else f"{path.relative_to(source.root)} was rendered once and nothing asks for it any more. {again}"
        for path in _strays(source, texts)
        if not path.is_relative_to(source.root / RUN)
    ]
    return differences


def _of_flow(source: RenderSource) -> dict[Path, str]:
    return {
        (source.folder if name == LOCK else source.rendered) / name: _head(source, name) + text
        for appearance in APPEARANCES
        for name, text in appearance(source).items()
    }


def _of_charts(source: RenderSource, charts: Iterable[Path]) -> dict[Path, str]:
    """Return the files of all charts that hold a flow."""
    return {
        chart / name: text if name.endswith((".json", "README.md")) else _head(source, name) + text
        for chart in charts
        for name, text in chart_files(source, chart).items()
    }


def _head(source: RenderSource, name: str) -> str:
    told = f"Rendered by `choreography render {source.name}`; edit the declarations"
    if name.endswith(".md"):
        return f"<!-- {told} instead. -->\n"
    # JSON has no comments, so the lock has this note in a field of its own.
    return "" if name == LOCK else f"# {told} or components/ instead.\n"


def _kept(source: RenderSource, texts: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    return ((path, text) for path, text in texts.items() if not path.is_relative_to(source.root / RUN))


def _put(texts: Mapping[Path, str]) -> list[Path]:
    changed = []
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    return changed


def _remove(strays: Iterable[Path]) -> list[Path]:
    """Remove rendered files, and leave the files that a person wrote."""
    rendered = [path for path in strays if path.read_bytes().startswith(_MARKS)]
    for path in rendered:
        path.unlink()
    return rendered


def _strays(source: RenderSource, texts: Mapping[Path, str]) -> list[Path]:
    found = {*_rendered_once(source.rendered, "dapr"), *_rendered_once(source.folder)}
    own = sorted(path for path in found if path not in texts)
    # A chart reads every file in its folder: a file in the place of a broker's file counts as a broker.
    return [*own, *(path for chart in charts_of(source) for path in stray_files(chart, texts))]


def _rendered_once(folder: Path, *whole: str) -> Iterator[Path]:
    """Yield the files that were rendered into a folder, and all files of the named folders in it."""
    files = [path for path in folder.glob("*") if path.is_file()]
    files += [path for name in _FOLDERS for path in (folder / name).rglob("*") if path.is_file()]
    for path in files:
        if path.relative_to(folder).parts[0] in whole or path.read_bytes().startswith(_MARKS):
            yield path
