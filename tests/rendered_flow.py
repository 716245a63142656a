"""The checkout flow as it is rendered, once for all tests of a process that read its files from a folder."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

from choreography.render import fill_chart, render_into

FLOW: Final = "apps.checkout"
CHART: Final = Path(__file__).parents[1] / "helm/choreography"


@cache
def rendered_flow() -> Path:
    """Return a folder with all files of the flow, for every broker and store; it goes with the process."""
    folder = _folder()
    render_into(folder, FLOW)
    return folder


@cache
def rendered_chart() -> Path:
    """Return a copy of the chart that holds the flow; it goes with the process."""
    chart = _folder() / CHART.name
    shutil.copytree(CHART, chart, ignore=shutil.ignore_patterns("files"))
    fill_chart(FLOW, chart)
    return chart


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="choreography-rendered-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
