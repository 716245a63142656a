"""Renders what a flow needs outside of Python from its declarations; a fact has one home and is never typed twice.

Not here: what the declarations mean (`choreography.analysis`), and the templates that place these facts in a cluster
(`helm`).
"""

from choreography.render.command import compare, fill_chart, render, render_into, write

__all__ = ["compare", "fill_chart", "render", "render_into", "write"]
