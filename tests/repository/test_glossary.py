"""The glossary is true: each term has one meaning and exists where it says; replaced words are gone."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import choreography

PACKAGE = Path(choreography.__file__).parent
ROOT = PACKAGE.parent
TELEMETRY = (PACKAGE / "telemetry.py").read_text()

SHARED = {
    "Call": "an effect's call of the outside: as it is made, and as a property of the model checker sees it",
}
"""Classes of one name in several modules that are one thing, and why."""


class Term(NamedTuple):
    """One row of the glossary."""

    name: str
    meaning: str
    seen: str
    instead_of: tuple[str, ...]


def rows() -> Iterator[Term]:
    """Return every row of every table."""
    for line in (ROOT / "docs/glossary.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[0] not in ("term", "---"):
            replaced = tuple(word.strip(" `") for word in cells[3].split(",") if word.strip())
            yield Term(cells[0], cells[1], cells[2].strip("`"), replaced)


TERMS = tuple(rows())
MODULES = {path: ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def identifiers(tree: ast.AST) -> Iterator[str]:
    """Yield every name that a module defines: of classes, functions, parameters, attributes and variables."""
    earlier = set(earlier_names(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Name() if node in earlier:
                pass
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.MatchAs(name=str(name)) | ast.alias(asname=str(name)):
                yield name
            case _:
                pass


def earlier_names(tree: ast.AST) -> Iterator[ast.expr]:
    """Yield definitions that only keep an earlier name working, with a warning."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=ast.Call(func=ast.Name(id="EarlierName"))):
                yield from targets
            case _:
                pass


def in_words(identifier: str) -> str:
    """Return a name as lower-case words with a space between each."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|_+", " ", identifier).strip().lower()


def texts(tree: ast.AST) -> Iterator[str]:
    """Yield every text of a module: docstrings, messages, and the fixed parts of f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def says(word: str, text: str) -> bool:
    """Tell whether a text holds a word or a phrase, whatever white space separates it."""
    return re.search(r"\b" + r"[\s_]+".join(re.split(r"[ _]+", word)) + r"\b", text) is not None


def test_each_term_has_one_meaning_in_one_sentence() -> None:
    """No word stands there twice, and no word that is replaced is itself a term."""
    assert len(TERMS) > 40
    assert [name for name, times in Counter(term.name for term in TERMS).items() if times > 1] == []
    assert [term.name for term in TERMS if not re.fullmatch(r"[^.]+(?:\.\w[^.]*)*\.", term.meaning)] == []
    assert {word for term in TERMS for word in term.instead_of} & {term.name for term in TERMS} == set()


def test_each_term_is_seen_where_the_glossary_says() -> None:
    """In a file or folder, in a public or internal name, or in a metric."""
    for name, _, seen, _ in TERMS:
        if seen.startswith("choreography_"):
            metric = seen.removeprefix("choreography_").removesuffix("_total")
            assert f'"{metric}"' in TELEMETRY, f"{name}: no metric {seen}"
        elif "/" in seen or (ROOT / seen).exists():
            assert (ROOT / seen).exists(), f"{name}: there is no {seen}"
        else:
            assert found(seen), f"{name}: there is no {seen}"


def found(dotted: str) -> bool:
    """Tell whether a dotted name leads to something: to a module, and from there by attributes."""
    thing: object = choreography
    for number, name in enumerate(dotted.split(".")[1:], 2):
        if not hasattr(thing, name):
            with suppress(ModuleNotFoundError):
                importlib.import_module(".".join(dotted.split(".")[:number]))
        if not hasattr(thing, name):
            return False
        thing = getattr(thing, name)
    return True


def test_replaced_words_are_gone_from_names_and_messages() -> None:
    """Neither a name, nor a docstring, nor a message says it another way."""
    replaced = [word for term in TERMS for word in term.instead_of]
    assert replaced
    for path, tree in MODULES.items():
        names = {in_words(name) for name in identifiers(tree)} | {in_words(path.stem)}
        for word in replaced:
            spaced = in_words(word)
            assert not [name for name in names if says(spaced, name)], f"{path.name} names something {word!r}"
            if "_" not in word:
                assert not [text for text in texts(tree) if says(word, text)], f"{path.name} says {word!r}"


def test_replaced_words_are_gone_from_headings() -> None:
    """Headings use the terms of the glossary."""
    replaced = [word for term in TERMS for word in term.instead_of]
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for heading in re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE):
            assert not [word for word in replaced if says(word, heading.lower())], f"{page.name}: {heading}"


def test_no_two_classes_share_a_name() -> None:
    """A reader who meets a class looks for one definition."""
    defined = defaultdict(list)
    for path, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                defined[node.name].append(str(path.relative_to(PACKAGE)))
    assert {name: paths for name, paths in defined.items() if len(paths) > 1 and name not in SHARED} == {}
