"""Seeds a defect into modules while they are imported: the files on disk stay as they are.

This module does not import the library, because the first import of the library must already load the defect.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final

SWITCH: Final = "FAULTS_DEFECT"
"""The environment variable by which a process of a fault run is told which defect it has."""

ROOT: Final = Path(__file__).parents[2]


class OutdatedDefectError(Exception):
    """The text that a defect replaces no longer exists: the code has changed, and the defect must follow."""


@dataclass(frozen=True)
class Change:
    """One piece of text in one module, and its replacement."""

    module: str
    old: str
    new: str

    @property
    def path(self) -> Path:
        """The file of the module."""
        return ROOT / f"{self.module.replace('.', '/')}.py"


@dataclass(frozen=True)
class Defect:
    """One seeded defect.

    Attributes:
        rule: the number of the rule of the guarantee that it breaks; 0 for the preconditions of every rule.
        does: its fault, in the words of a post-mortem.
        tests: the tests that should catch it, besides the tests of the engine.
    """

    name: str
    rule: int
    does: str
    changes: tuple[Change, ...]
    tests: tuple[str, ...] = ()


def in_engine(name: str, rule: int, does: str, module: str, *text: str) -> Defect:
    """Return a defect that makes one change in one module of the engine."""
    return Defect(name, rule, does, (Change(f"choreography.engine.{module}", *text),))


def seed(defect: Defect) -> None:
    """Make every later import of the defect's modules load it.

    Raises:
        OutdatedDefectError: the code has changed.
    """
    sources: dict[str, str] = {}
    for change in defect.changes:
        source = sources.get(change.module) or change.path.read_text()
        if source.count(change.old) != 1:
            raise OutdatedDefectError(
                f"The defect {defect.name!r} replaces text that stands {source.count(change.old)} times in "
                f"{change.module}, not once. Let it follow the code:\n{change.old}"
            )
        sources[change.module] = source.replace(change.old, change.new)
    sys.meta_path.insert(0, _Finder(sources))
    for module in sources:
        sys.modules.pop(module, None)


def environment_of(name: str) -> dict[str, str]:
    """Return the variables by which a process starts with a defect; see the folder `site`."""
    return {SWITCH: name, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent / "site"), str(ROOT)])}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the seeded modules before Python's other finders."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if fullname not in self._sources:
            return None
        return importlib.util.spec_from_loader(fullname, _Loader(fullname, self._sources[fullname]))


class _Loader(importlib.abc.InspectLoader):
    """Loads one seeded module from its changed text."""

    def __init__(self, name: str, source: str) -> None:
        self._name, self._source = name, source

    def get_source(self, fullname: str) -> str:
        del fullname
        return self._source

    def is_package(self, fullname: str) -> bool:
        del fullname
        return False
