"""Renders what a flow needs outside of Python from its declarations; a fact has one home and is never typed twice."""

from choreography.render.command import compare, render, write

__all__ = ["compare", "render", "write"]
