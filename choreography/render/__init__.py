"""Renders from the declarations of a flow the files that it needs besides Python, so no fact is written twice.

Not here: the meaning of the declarations (`choreography.analysis`), and the templates that place these facts in a
cluster (`helm`).
"""

from choreography.render.command import compare, fill_chart, render, render_into, write

__all__ = ["compare", "fill_chart", "render", "render_into", "write"]
