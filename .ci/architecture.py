#!/usr/bin/env python3
"""Draws the packages of the library and what each imports, as docs/architecture.md shows them.

``.ci/architecture.py`` prints the picture and the table, ``.ci/architecture.py --write`` puts them into the page.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Final

import grimp

from choreography.render.marked_block import put_between

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs/architecture.md"
BEGIN: Final = "<!-- packages: rendered by .ci/architecture.py -->"
END: Final = "<!-- end of packages -->"
DECLARATIONS: Final = "declarations"
"""The box of the modules that a service is declared with. They stand in no folder of their own."""

Edges = Mapping[str, AbstractSet[str]]


def layers() -> list[list[str]]:
    """Return the layers that import-linter holds, the outermost first, each as the names of its members."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in settings if one["type"] == "layers")
    return [re.findall(r"\w+", layer) for layer in contract["layers"]]


def box_of(module: str, declarations: AbstractSet[str]) -> str | None:
    """Return the box that a module is drawn in: its package, or the declarations; None for what every box uses."""
    _, _, inner = module.partition(".")
    name = inner.partition(".")[0]
    if name in declarations:
        return DECLARATIONS
    return name if (ROOT / "choreography" / name).is_dir() and name else None


def edges() -> Edges:
    """Return which boxes each box imports."""
    (declarations,) = (set(layer) for layer in layers() if "service" in layer)
    graph = grimp.build_graph("choreography", cache_dir=None)
    found: dict[str, set[str]] = {}
    for module in graph.modules:
        box = box_of(module, declarations)
        if box:
            imported = {box_of(one, declarations) for one in graph.find_modules_directly_imported_by(module)}
            found.setdefault(box, set()).update(one for one in imported if one and one != box)
    return found


def reduced(graph: Edges) -> Edges:
    """Leave out each arrow that a longer way already shows."""
    return {
        box: {one for one in near if not any(one in reached(graph, other) for other in near if other != one)}
        for box, near in graph.items()
    }


def reached(graph: Edges, box: str) -> set[str]:
    """Return every box that a box imports, directly or by way of others."""
    found: set[str] = set()
    waiting = [box]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting.extend(new)
    return found


def picture() -> str:
    """Return the boxes and arrows as a Mermaid diagram."""
    lines = ["```mermaid", "flowchart TD"]
    for box, near in sorted(reduced(edges()).items()):
        lines += [f"    {box} --> {one}" for one in sorted(near)]
    return "\n".join([*lines, "```"])


def table() -> str:
    """Return what belongs into each package, by the first line of its docstring, the outermost layer first."""
    rows = ["| package | what belongs there |", "| --- | --- |"]
    for name in (name for layer in layers() for name in layer):
        init = ROOT / "choreography" / name / "__init__.py"
        if init.exists():
            first = (ast.get_docstring(ast.parse(init.read_text())) or "").partition("\n")[0]
            rows.append(f"| [`{name}`](../choreography/{name}) | {first.replace('|', '&#124;')} |")
    return "\n".join(rows)


def rendered() -> str:
    """Return the part of the page that follows from the code."""
    return f"{picture()}\n\n{table()}"


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        put_between(PAGE, BEGIN, END, rendered())
    else:
        print(rendered())
