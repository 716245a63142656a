"""An old release of a flow beside the new one: its services, imported without replacing those of today."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Final

from choreography.authored import AuthoredError, told
from choreography.contracts import Value
from choreography.explore.properties import ExploreError
from choreography.flow import services_of
from choreography.service import Service

_ONE_AT_A_TIME: Final = threading.Lock()


def old_services(flow: str, old: str) -> tuple[tuple[Service, ...], tuple[ModuleType, ...]]:
    """Return the services of an old release of a flow, and its modules.

    Args:
        flow: the package of the flow of today.
        old: the package of the old release, or the folder that contains it.

    Raises:
        ExploreError: there is no such package.
    """
    with _ONE_AT_A_TIME:
        folder = _folder_of(old)
        package = flow.partition(":")[0]
        return _services_in(folder, package if _imports(folder, package) else _name_of(folder))


def _folder_of(old: str) -> Path:
    """Return the folder of a package, searched as every command does: from the working directory upwards."""
    here = Path.cwd()
    for base in (here, *here.parents):
        for path in (base / old, base / old.strip("/").replace(".", "/")):
            if old and path.is_dir():
                return path.resolve()
    try:
        spec = importlib.util.find_spec(old)
    except (ImportError, ValueError):
        spec = None
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ExploreError(
            f"There is no package and no folder {old!r}, so no old release can run beside the new one. Check it out "
            "into a folder of its own (git worktree add old v1.2), and name its flow there: --old old/apps/checkout."
        )
    return Path(places[0]).resolve()


def _name_of(folder: Path) -> str:
    """Return the name of a package according to its place on the disk."""
    names, place = [folder.name], folder.parent
    while (place / "__init__.py").is_file():
        names.insert(0, place.name)
        place = place.parent
    return ".".join(names)


def _imports(folder: Path, package: str) -> bool:
    """Tell whether the files of a folder import a package: then they are a release of it, wherever they are."""
    return any(f"{name}.".startswith(f"{package}.") for file in folder.glob("*.py") for name in _imported_by(file))


def _imported_by(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{one.name}" for one in node.names)


@lru_cache(maxsize=16)
def _services_in(folder: Path, name: str) -> tuple[tuple[Service, ...], tuple[ModuleType, ...]]:
    """Import a package under a name and forget it again: a later import of that name gets today's package."""
    with _in_place_of(name, folder):
        services = services_of(name)
        for service in services:
            service.check()
            for model in _models(service):
                # Forward references are resolved now, while their names still mean the classes of the old release.
                model.model_rebuild()
        return services, tuple(module for one, module in sys.modules.items() if f"{one}.".startswith(f"{name}."))


def _models(service: Service) -> Iterable[type[Value]]:
    yield from service.entities
    yield from service.publishes
    for effect in service.effects.values():
        yield effect.intent
        yield from effect.answers
    for subject in service.subjects.values():
        yield subject.model


@contextmanager
def _in_place_of(name: str, folder: Path) -> Iterator[None]:
    before = {one: module for one, module in sys.modules.items() if f"{one}.".startswith(f"{name}.")}
    parent, _, last = name.rpartition(".")
    holder = sys.modules.get(parent)
    seen = getattr(holder, last, None)
    for one in before:
        del sys.modules[one]
    root = str(folder.parents[name.count(".")])
    sys.path.append(root)
    try:
        package = _begun(name, folder)
        if holder is not None:
            setattr(holder, last, package)
        yield
    finally:
        sys.path.remove(root)
        for one in [one for one in sys.modules if f"{one}.".startswith(f"{name}.")]:
            del sys.modules[one]
        sys.modules.update(before)
        if seen is not None:
            setattr(holder, last, seen)


def _begun(name: str, folder: Path) -> ModuleType:
    """Return a package of this name whose modules come from a folder."""
    file = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=[str(folder)])
    if not file.is_file() or spec is None or spec.loader is None:
        package = ModuleType(name)
        package.__path__ = [str(folder)]
        sys.modules[name] = package
        return package
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    try:
        spec.loader.exec_module(package)
    except (Exception, SystemExit) as error:
        raise AuthoredError(
            f"The old release in {folder} cannot be imported, so nothing can run beside the new one: {told(error)}. "
            "Mend it, or name another folder."
        ) from error
    return package
