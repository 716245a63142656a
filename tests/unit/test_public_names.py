"""Every public name has an example where it is defined, and the example is run."""

from __future__ import annotations

import ast
import doctest
from pathlib import Path

import pytest

import choreography

ROOT = Path(choreography.__file__).parent
NAMES = {name: getattr(choreography, name) for name in choreography.__all__}
LENIENT = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL


def docstrings(path: Path) -> dict[str, str]:
    """Return the docstring of every class, function and value that a module defines, by its name."""
    found = {}
    body = ast.parse(path.read_text()).body
    for node, after in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            found[node.name] = ast.get_docstring(node) or ""
        elif isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(after, ast.Expr):
            (target,) = node.targets if isinstance(node, ast.Assign) else (node.target,)
            if isinstance(target, ast.Name) and isinstance(after.value, ast.Constant):
                found[target.id] = str(after.value.value)
    return found


DOCSTRINGS = {
    name: text
    for path in [*ROOT.glob("*.py"), ROOT / "fields/value.py"]
    for name, text in docstrings(path).items()
    if name in NAMES and text
}


@pytest.mark.parametrize("name", NAMES)
def test_the_example_of_a_public_name_is_true(name: str) -> None:
    """A reader copies it."""
    text = DOCSTRINGS[name]
    example = doctest.DocTestParser().get_doctest(text, {**NAMES, "__name__": __name__}, name, None, 0)
    assert example.examples, f"{name} has no example. Add one with >>> to its docstring."
    assert any(name in one.source for one in example.examples), f"The example of {name} does not use it."
    said: list[str] = []
    failed = doctest.DocTestRunner(optionflags=LENIENT).run(example, out=said.append).failed
    assert not failed, "".join(said)
