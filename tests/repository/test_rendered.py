"""Rendered files are held by hashes without being committed, and a change of them can be read."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from choreography.render.command import APPEARANCES
from choreography.render.contract_lock import lock_file
from choreography.render.source import source_of

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The script, which lies in no package."""
    spec = importlib.util.spec_from_file_location("rendered", ROOT / ".ci/rendered.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everything_that_is_rendered_is_as_it_is_held(script: ModuleType) -> None:
    """This covers every broker and store; `make check` compares the chart's objects, where there is Helm."""
    assert script.check(None) == 0


def test_there_is_an_example_of_every_kind(script: ModuleType) -> None:
    """A reader sees one of each, and a reviewer what a change does to it."""
    kept, source = script.kept(), source_of(script.FLOW, "redis", "postgres")
    for appearance in APPEARANCES:
        assert appearance is lock_file or kept.keys() & appearance(source).keys(), appearance
    for kind in ("chart/files/flow", "chart/files/dashboard", "chart/files/brokers/redis/facts", "placed/redis/"):
        assert any(path.startswith(kind) for path in kept), kind


def test_a_text_that_differs_is_named_once_with_how(script: ModuleType) -> None:
    """New and removed texts are named as well."""
    hashes = {"a": script.hash_of("one"), "b": script.hash_of("two"), "gone": script.hash_of("")}
    said = script.differences({"a": "one", "b": "TWO", "new": ""}, hashes, {"a": "one"})
    assert said == {
        "b": "is rendered otherwise",
        "gone": "is held, and nothing renders it any more",
        "new": "is rendered, and nothing holds it",
    }
    assert "example" in script.differences({"a": "one"}, {"a": script.hash_of("one")}, {"a": "other"})["a"]


def test_texts_that_differ_alike_are_shown_once(script: ModuleType) -> None:
    """A setting that all brokers have changes in one place."""
    before, now = {"a": "x\nold\n", "b": "x\nold\n", "c": "same"}, {"a": "x\nnew\n", "b": "x\nnew\n", "c": "same"}
    assert list(script.shown(before, now, ["a", "b", "c"])) == ["--- a, b", "@@ -1,2 +1,2 @@", " x", "-old", "+new"]


def test_what_a_commit_rendered_is_rendered_again_or_said_to_be_missing(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shallow clone does not have the commit, and nothing was changed because of that."""
    assert script.rendered_at("0" * 40) is None
    script.show_since("", {})
    script.show_since("0" * 40, {})
    assert capsys.readouterr().out.count("`git fetch --unshallow` brings it") == 2


def test_rendered_lines_are_known_by_what_their_renderers_write(script: ModuleType, tmp_path: Path) -> None:
    """Locks are counted separately, and binary files are not counted."""
    texts = {
        "apps/a/flow.yaml": "# Rendered by `choreography render a`; edit the declarations instead.\na: 1\n",
        "docs/PAGE.md": "<!-- Rendered by `choreography render a`; edit the declarations instead. -->\n",
        "apps/a/contracts.lock.json": '{\n  "rendered": "By `choreography render a`.",\n}\n',
        "helm/a/files/dashboard.json": "{\n}\n",
        "proto/a_pb2.pyi": "from . import a\n",
        "docs/rendered/hashes.json": "{\n}\n",
        "written.py": '"""A person wrote this."""\n\n\n\n# It is not Rendered by anything.\n',
        "locks/requirements.txt": "a==1\nb==1\n",
        "go.sum": "a\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\n\n\n")
    assert script.share(tmp_path, [*texts, "picture.png", "gone"], ["files/dashboard.json"]) == (11, 16, 3)


def test_a_word_that_is_not_understood_is_answered_with_those_that_are(
    script: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is that of every command."""
    assert script.main(["--wrte"]) == 2
    assert "--write" in capsys.readouterr().err
