"""The layout of the repository: folders say what belongs there, tests mirror packages, a file name means one thing."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("apps", "bench", "choreography", "components", "examples", "faults", "lab")
FROZEN = frozenset(f"bench/{name}" for name in json.loads((ROOT / "bench/frozen.json").read_text()))
SHOWN = {
    "apps/checkout": "the pages of the flow quote the docstring",
    "apps/payment_provider": "the docstring is the description in its OpenAPI document",
}
LEVELS = ("unit", "integration")
OWN_LEVEL = {"choreography/explore": "explore", "components": "components", "examples": "integration/examples"}
"""Packages whose tests make up a level of their own, or need processes."""

SHARED_NAMES = (
    {
        "app": "the web application of the package",
        "command": "the command of `choreography` that the package stands for",
        "contracts": "contracts of events: their classes, their rules",
        "errors": "the errors of the package",
        "events": "events of a flow",
        "pages": "pages for people",
        "releases": "two releases of a flow",
        "result": "what was found",
        "serving": "serving HTTP in a process",
    }
    | dict.fromkeys(("aws", "eventbridge", "kafka", "nats", "nats_pull", "rabbitmq", "redis"), "one broker")
    | dict.fromkeys(("dapr", "postgres"), "one program")
)
"""File names that several packages of the library share, and the one thing that each means."""


def tracked(*under: str) -> list[PurePosixPath]:
    """Return what git knows below some folders."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *under],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [PurePosixPath(line) for line in done.stdout.splitlines() if (ROOT / line).exists()]


PACKAGES = sorted(
    str(path.parent)
    for path in tracked(*PRODUCT)
    if path.name == "__init__.py" and str(path.parent) not in FROZEN | SHOWN.keys()
)
FOLDERS = sorted({path.parts[0] for path in tracked() if len(path.parts) > 1} - {".github", "locks"})


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_says_what_belongs_there_and_what_does_not(package: str) -> None:
    """The first line says what belongs there, a paragraph `Not here:` says what does not and where that is."""
    text = ast.get_docstring(ast.parse((ROOT / package / "__init__.py").read_text())) or ""
    assert_says_both(text.partition("\n")[0], text, package)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_at_the_top_says_what_belongs_there_and_what_does_not(folder: str) -> None:
    """In its docstring if it is a package, else in its README."""
    init, readme = ROOT / folder / "__init__.py", ROOT / folder / "README.md"
    text = (ast.get_docstring(ast.parse(init.read_text())) or "") if init.exists() else readme.read_text()
    first = next((line for line in text.splitlines() if line and not line.startswith("# ")), "")
    assert_says_both(first, text, folder)


def assert_says_both(first: str, text: str, where: str) -> None:
    """A first line, and a paragraph that names at least one place that exists."""
    assert len(first.split()) >= 3, f"The first line of {where} does not say what belongs there."
    _, found, elsewhere = text.partition("Not here: ")
    assert found, f"{where} does not say what belongs elsewhere. Add a paragraph: Not here: ... (`the.place`)."
    named = re.findall(r"`([\w./-]+)`", elsewhere.partition("\n\n")[0])
    assert any(exists(name) for name in named), f"{where} names no place that exists: {named}"


def exists(name: str) -> bool:
    """Tell whether a name is a file, a folder or a module of the repository."""
    path = name.replace(".", "/")
    return any((ROOT / one).exists() for one in (name, path, f"{path}.py"))


@pytest.mark.parametrize("path", [path for path in tracked("tests") if path.name.startswith("test_")], ids=str)
def test_a_test_stands_in_the_folder_of_what_it_tests(path: PurePosixPath) -> None:
    """Below tests/unit and tests/integration each folder is one of the product."""
    level, *inner = path.parent.parts[1:]
    if level not in LEVELS or not inner:
        assert level in {*LEVELS, "components", "e2e", "explore", "repository"}, f"{level} is no level of tests."
        return
    here = "/".join(inner)
    places = (here, f"choreography/{here}")
    assert any((ROOT / place).is_dir() for place in places), (
        f"{path} tests no folder of the product: neither of {places} exists. Move it to what it tests."
    )


@pytest.mark.parametrize(
    "package", sorted({"/".join(Path(one).parts[: 2 if one.startswith("choreography/") else 1]) for one in PACKAGES})
)
def test_a_package_has_tests(package: str) -> None:
    """Somebody who changes it knows which tests to run."""
    inner = package.removeprefix("choreography/")
    folders = [OWN_LEVEL.get(package, ""), *(f"{level}/{inner}" for level in LEVELS)]
    tests = [path for folder in folders if folder for path in (ROOT / "tests" / folder).rglob("test_*.py")]
    if package == "choreography":
        tests = list((ROOT / "tests/unit").glob("test_*.py"))
    assert tests, f"{package} has no tests in tests/unit/{inner} or tests/integration/{inner}."


def test_a_file_name_means_one_thing() -> None:
    """A reader who searches for a file name finds only one file."""
    stems = defaultdict(list)
    for path in tracked("choreography"):
        if path.suffix == ".py" and not path.stem.startswith("__"):
            stems[path.stem].append(str(path))
    twins = {stem: paths for stem, paths in stems.items() if len(paths) > 1 and stem not in SHARED_NAMES}
    assert not twins, "Rename these, or say in SHARED_NAMES which one thing they all mean."
    assert not [stem for stem in SHARED_NAMES if len(stems[stem]) < 2], "Take these out of SHARED_NAMES."


def test_no_package_holds_a_file_and_its_plural() -> None:
    """Readers confuse `command.py` with `commands.py`."""
    modules = {(path.parent, path.stem) for path in tracked(*PRODUCT) if path.suffix == ".py"}
    assert not [f"{folder}/{stem}" for folder, stem in modules if (folder, f"{stem}s") in modules]
