"""`choreography new`: writes a small but complete flow, as the start of your own.

Not here: the reference flow (`apps.checkout`), and everything rendered for a flow (`choreography.render`).
"""

from __future__ import annotations

import keyword
import shutil
from importlib import resources
from pathlib import Path, PurePosixPath

import choreography
from choreography.errors import ChoreographyError
from choreography.shipped import shipped_components


class NewFlowError(ChoreographyError):
    """The requested folder cannot hold a new flow."""


def new_flow(where: str) -> list[Path]:
    """Write a flow of two services, its properties, tests and run file into an empty folder below this one.

    Args:
        where: the folder, which is also the package: ``apps/visits`` is imported as ``apps.visits``.

    Raises:
        NewFlowError: the name is not a package name, or the folder is not empty.
    """
    folder = PurePosixPath(where.strip("/").replace(".", "/"))
    wrong = [part for part in folder.parts if not part.isidentifier() or keyword.iskeyword(part)]
    if wrong or not folder.parts:
        raise NewFlowError(
            f"{where!r} cannot be imported, because {wrong[0] if wrong else 'it'!r} is no Python name. "
            "Name a folder below this one, such as apps/visits."
        )
    target = Path(*folder.parts)
    if target.exists() and any(target.iterdir()):
        raise NewFlowError(f"{target} is not empty, and nothing of yours is overwritten. Name another folder.")
    target.mkdir(parents=True, exist_ok=True)
    words = {
        "package": ".".join(folder.parts),
        "folder": str(folder),
        "name": folder.name,
        "root": "/".join([".."] * len(folder.parts)),
    }
    written = [*_packages(target), *(_fill(file, target, words) for file in _templates())]
    return [*written, *_settings(), *_components()]


def _templates() -> list[Path]:
    with resources.as_file(resources.files(choreography) / "new" / "template") as template:
        return sorted(template.glob("*.txt"))


def _fill(template: Path, target: Path, words: dict[str, str]) -> Path:
    text = template.read_text()
    for word, value in words.items():
        text = text.replace(f"{{{{{word}}}}}", value)
    path = target / template.name.removesuffix(".txt")
    path.write_text(text)
    return path


def _packages(target: Path) -> list[Path]:
    """Make every folder above a package a package, so that services have the same import name everywhere."""
    made = []
    for parent in list(target.parents)[:-1]:
        init = parent / "__init__.py"
        if not init.exists():
            init.write_text('"""Flows."""\n')
            made.append(init)
    return made


def _settings() -> list[Path]:
    """Configure `pytest` so that it imports the flow from this folder, as every other command does."""
    settings = Path("pytest.ini")
    if settings.exists() or Path("pyproject.toml").exists():
        return []
    settings.write_text("[pytest]\npythonpath = .\nasyncio_default_fixture_loop_scope = function\n")
    return [settings]


def _components() -> list[Path]:
    """Copy the safe settings of brokers and stores, from which a flow's Dapr files are rendered."""
    here = Path("components")
    source = shipped_components()
    if here.exists() or source is None:
        return []
    shutil.copytree(source, here, ignore=shutil.ignore_patterns("__pycache__"))
    return [here]
