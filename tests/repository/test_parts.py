"""The parts of the library: none sets another's attribute, and no module imports itself in a circle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import choreography

ROOT: Final = Path(choreography.__file__).parent

FOREIGN: Final = {
    "app.state.dapr": "FastAPI keeps there what an application adds to it",
    "app.openapi": "FastAPI names this as the way to change its document",
    "served.__doc__": "a function that was made the line before",
    "served.__signature__": "a function that was made the line before",
    "server.should_exit": "uvicorn's way to be stopped",
    "package.__path__": "a module that is made by hand, as the import system makes one",
    "connection.connection.driver_connection.isolation_level": "Python's driver of SQLite has no other switch",
    "undoes.undone_by": "a class registers with the class that it names, while it is made",
}
"""Attributes of others that are set, each with the reason."""

LATER: Final = {("web/app.py", "serving")}
"""A server makes its app before there is an event loop, so what requests reach comes when the app is started."""


def _trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(ROOT.rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), _tree(path)


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _assigned(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield every target of an assignment."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign, ast.NamedExpr, ast.For)):
            targets = [node.target]
        for target in targets:
            yield from target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]


def _is_dataclass(node: ast.ClassDef) -> bool:
    names = [one.func if isinstance(one, ast.Call) else one for one in node.decorator_list]
    frozen = any(
        keyword.arg == "frozen" for one in node.decorator_list if isinstance(one, ast.Call) for keyword in one.keywords
    )
    return not frozen and any(isinstance(name, ast.Name) and name.id == "dataclass" for name in names)


def _fields_of_records() -> set[str]:
    """Return the fields of all records meant to be filled: dataclasses that are not frozen."""
    return {
        field.target.id
        for _, tree in _trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and _is_dataclass(node)
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }


def _is_own(target: ast.Attribute) -> bool:
    return isinstance(target.value, ast.Name) and target.value.id in ("self", "cls")


def setters(name: str, tree: ast.Module, filled: set[str]) -> list[str]:
    """Return where a module sets an attribute of another object that is no such record."""
    return [
        f"{name}:{target.lineno}: {ast.unparse(target)}"
        for target in _assigned(tree)
        if isinstance(target, ast.Attribute)
        and not _is_own(target)
        and target.attr not in filled
        and ast.unparse(target) not in FOREIGN
    ]


def test_no_part_is_changed_from_outside_after_it_was_made() -> None:
    """Each gets everything it needs when it is made, so none is incomplete, and no two know each other."""
    filled = _fields_of_records()
    assert [place for name, tree in _trees() for place in setters(name, tree, filled)] == []


def test_a_setter_would_be_seen() -> None:
    """The driver once got its effects in this way."""
    driver = ast.parse("def made():\n    driver = Driver()\n    driver.carry_out, x = effects, 1\n    return driver\n")
    assert setters("web/app.py", driver, {"state"}) == ["web/app.py:3: driver.carry_out"]


def test_no_part_gets_another_part_later_than_it_is_made() -> None:
    """An attribute that is None until its part is made is a setter, too."""
    classes = (node for _, tree in _trees() for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    ours = {node.name for node in classes if not node.name.startswith("_")}
    late = {
        (name, node.target.attr)
        for name, tree in _trees()
        if name.split("/")[0] in ("engine", "runtime", "sidecar", "web")
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute)
        and isinstance(node.value, ast.Constant)
        and node.value.value is None
        and ours & set(re.findall(r"\w+", ast.unparse(node.annotation)))
    }
    assert late == LATER


def _imported(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the modules of the library that a module imports, wherever in it, also only for type checkers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{name} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module


def _module(name: str) -> str:
    parts = ["choreography", *name.removesuffix(".py").split("/")]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _graph() -> dict[str, set[str]]:
    modules = {_module(name): set[str]() for name, _ in _trees()}
    for name, tree in _trees():
        modules[_module(name)] |= {one for one in _imported(name, tree) if one in modules and one != _module(name)}
    return modules


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules in which each imports itself through the others."""
    left = {name: set(needs) for name, needs in graph.items()}
    while free := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in free}
    while unused := left.keys() - set().union(*left.values(), set()):
        left = {name: needs for name, needs in left.items() if name not in unused}
    return [sorted(left)] if left else []


def test_no_module_needs_itself() -> None:
    """Not even by an import inside a function, or for type checkers: both would have to be read first."""
    graph = _graph()
    # A package that re-exports names needs its modules, and these need the package of those before them.
    plain = {name: {one for one in needs if not name.startswith(f"{one}.")} for name, needs in graph.items()}
    assert circles(plain) == []


def test_a_circle_would_be_seen() -> None:
    """The examples are circles of two, and of three with modules before and behind them."""
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


@pytest.mark.parametrize("package", ["runtime", "engine", "web"])
def test_the_page_of_a_package_names_its_files(package: str) -> None:
    """It is the way in, so it must not lead to a file that is gone."""
    text = ast.get_docstring(_tree(ROOT / package / "__init__.py")) or ""
    named = re.findall(r"``([\w/]+\.py)``", text)
    for name in named:
        assert (ROOT / package / name).is_file() or (ROOT / name).is_file(), name
    if package == "runtime":
        files = {path.name for path in (ROOT / package).glob("*.py")} - {"__init__.py"}
        assert files <= set(named)


def test_the_way_of_a_delivery_is_read_without_going_back() -> None:
    """Each file on it imports those behind it, and none before it."""
    text = ast.get_docstring(_tree(ROOT / "runtime" / "__init__.py")) or ""
    way = [f"choreography.runtime.{name}" for name in re.findall(r"^\d\. ``(\w+)\.py``", text, re.MULTILINE)]
    graph = _graph()
    assert len(way) == 6
    for place, module in enumerate(way):
        assert not graph[module] & set(way[:place]), f"{module} goes back"
        assert place == len(way) - 1 or way[place + 1] in graph[module], f"{module} does not lead on"
    assert "choreography.sidecar.client" in graph[way[-1]]
