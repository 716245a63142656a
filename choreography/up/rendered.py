"""Renders the files of sidecars into the run folder of a flow before its start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from choreography.flow import package_at
from choreography.render import render_into
from choreography.render.source import RUN
from choreography.up.errors import FlowFileError
from choreography.up.flowfile import FlowFile


def with_rendered(file: FlowFile, run_folder: Path, broker: str, topic_prefix: str = "") -> FlowFile:
    """Return a flow whose Dapr files are rendered into its run folder; files that a person keeps are used as they are.

    Args:
        file: the run file of the flow.
        run_folder: the folder for state, logs and rendered files.
        broker: the broker that carries the events.
        topic_prefix: the first part of topics on the broker, instead of the name of the flow.

    Raises:
        FlowFileError: a prefix of topics is given, and the flow cannot be imported from here.
        FlowError: the flow cannot be rendered for this broker.
    """
    folder = file.path.parent
    package = package_at(folder)
    if topic_prefix and not package:
        raise FlowFileError(
            f"{folder} is no package below this folder, so its Dapr files cannot be rendered with the prefix "
            f"{topic_prefix!r}. Type the command where the flow is imported from."
        )
    if not package or (_keeps_its_own(file) and not topic_prefix):
        return file
    target = run_folder / (f"rendered-{topic_prefix}" if topic_prefix else "rendered")
    render_into(target, package, broker=broker, topic_prefix=topic_prefix)
    dapr = target / "dapr"
    return replace(file, resources=dapr / broker, configuration=file.configuration and dapr / "config.yaml")


def _keeps_its_own(file: FlowFile) -> bool:
    """Whether the folder that the run file names exists, and is not a folder that each start renders anew."""
    return file.rendered.is_dir() and not file.rendered.resolve().is_relative_to(Path.cwd() / RUN)
