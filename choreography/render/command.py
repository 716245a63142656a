"""`choreography render`: everything outside of Python that follows from a flow's declarations."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from choreography.analysis.lock import FILE as LOCK
from choreography.render.access import FOLDER as ACCESS
from choreography.render.access import access_files
from choreography.render.alerts import alert_files
from choreography.render.asyncapi import asyncapi_file
from choreography.render.autoscalers import autoscaler_files
from choreography.render.chart import chart_files, charts_of, stray_files
from choreography.render.contract_lock import lock_file
from choreography.render.dapr import dapr_files
from choreography.render.network_policies import network_policy_files
from choreography.render.pages import flow_page, service_pages
from choreography.render.source import Appearance, Source, source_of

APPEARANCES: Final[tuple[Appearance, ...]] = (
    dapr_files,
    flow_page,
    service_pages,
    asyncapi_file,
    lock_file,
    network_policy_files,
    autoscaler_files,
    alert_files,
    access_files,
)
"""The one list of what is rendered."""

_FOLDERS: Final = ("dapr", "docs", "k8s", ACCESS)
"""Folders of a flow that hold what is rendered; `dapr` nothing else."""

_MARKS: Final = (b"# Rendered by ", b"<!-- Rendered by ")


def render(
    flow: str, *, broker: str | None = None, store: str | None = None, topic_prefix: str = ""
) -> dict[Path, str]:
    """Return every file of a flow and its text, for one broker and store or for all there are.

    Its topics begin with the name of the flow, unless another prefix is given.

    Raises:
        FlowError: the flow, or the component file of a broker or store, is not there.
    """
    return _rendered(source_of(flow, broker, store, topic_prefix))


def write(flow: str, chart: Path | None = None, topic_prefix: str = "") -> list[Path]:
    """Write every file of a flow, remove rendered ones that nothing asks for any more, and return what changed.

    Args:
        flow: the package of the flow.
        chart: a folder with a Helm chart that shall hold this flow from now on. Those that do already are written too.
        topic_prefix: what topics begin with on the broker, instead of the name of the flow.

    Raises:
        FlowError: the flow is not there, or the folder holds no chart.
    """
    source = source_of(flow, None, None, topic_prefix)
    texts = _rendered(source) | _of_charts(source, *([chart.resolve()] if chart else []))
    changed = []
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    for path in _strays(source, texts):
        if path.read_bytes().startswith(_MARKS):
            path.unlink()
            changed.append(path)
    return changed


def compare(flow: str, topic_prefix: str = "") -> list[str]:
    """Return in sentences how the files of a flow differ from what its declarations say."""
    source = source_of(flow, None, None, topic_prefix)
    texts = _rendered(source) | _of_charts(source)
    again = f"Run `choreography render {source.name}`."
    differences = []
    for path, text in texts.items():
        shown = path.relative_to(source.root)
        if not path.exists():
            differences.append(f"{shown} is missing. {again}")
        elif path.read_text() != text:
            differences.append(f"{shown} differs from what the declarations say. {again}")
    differences += [
        f"{path.relative_to(source.root)} is not rendered from anything, but a sidecar would read it. Remove it."
        if path.is_relative_to(source.folder / "dapr")
        else f"{path.relative_to(source.root)} was rendered once and nothing asks for it any more. {again}"
        for path in _strays(source, texts)
    ]
    return differences


def _rendered(source: Source) -> dict[Path, str]:
    return {
        source.folder / name: _head(source, name) + text
        for appearance in APPEARANCES
        for name, text in appearance(source).items()
    }


def _of_charts(source: Source, *more: Path) -> dict[Path, str]:
    """What the charts of a flow hold of it."""
    return {
        chart / name: text if name.endswith((".json", "README.md")) else _head(source, name) + text
        for chart in {*charts_of(source), *more}
        for name, text in chart_files(source, chart).items()
    }


def _head(source: Source, name: str) -> str:
    told = f"Rendered by `choreography render {source.name}`; edit the declarations"
    if name.endswith(".md"):
        return f"<!-- {told} instead. -->\n"
    # JSON has no comments; the lock says it in a field of its own.
    return "" if name == LOCK else f"# {told} or components/ instead.\n"


def _strays(source: Source, texts: dict[Path, str]) -> list[Path]:
    files = (path for name in _FOLDERS for path in (source.folder / name).rglob("*") if path.is_file())
    strays = (path for path in files if path not in texts)
    # A sidecar reads whatever is in its folder; beside pages and manifests a person may keep something else.
    own = sorted(
        path for path in strays if path.is_relative_to(source.folder / "dapr") or path.read_bytes().startswith(_MARKS)
    )
    # So does a chart: what lies where a broker's files are is a broker.
    return [*own, *(path for chart in charts_of(source) for path in stray_files(chart, texts))]
