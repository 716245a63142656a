"""The lock keeps every promised contract, and consumers can read what a publisher promises."""

from __future__ import annotations

import json
import types
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, create_model

from choreography import Event, Id, Service, Value
from choreography.analysis.compatibility import unmet
from choreography.analysis.lock import FILE, LockError, is_outdated, merged, read_lock, written
from choreography.analysis.promises import EVENTS, PromisePlace, promises_of
from choreography.check import judge_services


class Part(Value):
    """A part that holds parts."""

    name: Annotated[str, Field(max_length=8)]
    parts: tuple[Part, ...] = ()


class WiderPart(Value):
    """The same with longer names."""

    name: str
    parts: tuple[WiderPart, ...] = ()


def needs(promised: Any, needed: Any, *, default: bool = False) -> list[str]:
    """Compare two models with one field each."""
    first = create_model("First", __base__=Value, field=(promised, ...))
    second = create_model("Second", __base__=Value, field=(needed, promised if default else ...))
    return unmet(first.model_json_schema(), second.model_json_schema())


@pytest.mark.parametrize(
    ("promised", "needed"),
    [
        (str, str),
        (Annotated[str, Field(max_length=3)], str),
        (Annotated[str, Field(min_length=2, max_length=3)], Annotated[str, Field(min_length=1, max_length=4)]),
        (Annotated[int, Field(ge=1, le=9)], Annotated[int, Field(ge=0)]),
        (Literal["a", "b"], Literal["a", "b", "c"]),
        (Literal["a", "b"], Annotated[str, Field(max_length=1, pattern="^[a-z]$")]),
        (str, str | None),
        (str | None, str | int | None),
        (tuple[str, int], tuple[str, int]),
        (tuple[str, ...], tuple[str | None, ...]),
        (Annotated[tuple[int, ...], Field(min_length=1)], tuple[int, ...]),
        (Part, Part),
        (Part, WiderPart),
    ],
)
def test_a_promise_that_is_at_least_as_strict_is_met(promised: Any, needed: Any) -> None:
    """The consumer can read every event that is published."""
    assert needs(promised, needed) == []


@pytest.mark.parametrize(
    ("promised", "needed", "problem"),
    [
        (str, int, "field is a string where an integer is needed"),
        (int, bool, "field is an integer where a boolean is needed"),
        (str, Annotated[str, Field(max_length=3)], "field has maxLength none where maxLength 3 is needed"),
        (Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], "field has minimum 0 where minimum 1 is needed"),
        (str, Annotated[str, Field(pattern="^a$")], "field has pattern none where pattern ^a$ is needed"),
        (str, Literal["a", "b"], "field may be any string, and only 'a' or 'b' is understood"),
        (Literal["a", "c"], Literal["a", "b"], "field may be 'c', and only 'a' or 'b' is understood"),
        (Literal["a", "bc"], Annotated[str, Field(max_length=1)], "field may be 'bc', which maxLength 1 refuses"),
        (Literal["a"], int, "field may be 'a', where an integer is needed"),
        (str | None, str, "field is nothing where a string is needed"),
        (tuple[str, ...], tuple[int, ...], "field[] is a string where an integer is needed"),
        (tuple[str, ...], tuple[str, str], "field may have any length, and exactly 2 parts are needed"),
        (tuple[str, str], tuple[str, int], "field[1] is a string where an integer is needed"),
        (WiderPart, Part, "field.name has maxLength none where maxLength 8 is needed"),
    ],
)
def test_a_promise_that_is_wider_than_what_is_needed_is_told(promised: Any, needed: Any, problem: str) -> None:
    """The finding names the field, the values it may hold, and the values that the consumer reads."""
    assert problem in needs(promised, needed)


def said(**fields: Any) -> list[Service]:
    """Return a service that is the only publisher of one event with these fields."""
    annotations = {"thing": Id} | {name: hint for name, (hint, *_) in fields.items()}
    space: dict[str, Any] = {"__annotations__": annotations, "__module__": __name__, "__doc__": "Said."}
    space |= {name: default[0] for name, (_, *default) in fields.items() if default}
    words = {"owner": "things", "subject": "thing", "type": "thing.said.v1", "final": True}
    event = types.new_class("Said", (Event,), words, lambda body: body.update(space))
    service = Service("things", publishes=[event])

    def say(thing: Any) -> Any:
        return event(thing=thing)

    say.__annotations__ = {"thing": Id, "return": event}
    service.command("POST /things/{thing}")(say)
    return [service]


def breaks(before: list[Service], now: list[Service]) -> list[str]:
    """Return the findings of CHO112 about a change."""
    report = judge_services(*now, lock=promises_of(before))
    return [finding.what for finding in report.findings if finding.code == "CHO112"]


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"a": (str,)}, {"a": (str,)}),
        ({"a": (str,)}, {"a": (str,), "b": (int, 0)}),
        ({"a": (str,), "b": (int, 0)}, {"a": (str,)}),
    ],
)
def test_a_field_with_a_default_may_come_and_go(before: dict[str, Any], now: dict[str, Any]) -> None:
    """A release with the field reads the default where it is missing; one without it ignores it."""
    assert breaks(said(**before), said(**now)) == []


@pytest.mark.parametrize(
    ("before", "now", "problem"),
    [
        ({"a": (str,)}, {}, "a consumer of before would refuse it, because a is needed and not there"),
        ({}, {"a": (str,)}, "an event of before, still in flight, would be refused, because a is needed and not there"),
        ({"a": (str,)}, {"a": (int,)}, "a is an integer where a string is needed"),
        ({"a": (Literal["x"],)}, {"a": (Literal["x", "y"],)}, "a may be 'y', and only 'x' is understood"),
        ({"a": (Literal["x", "y"],)}, {"a": (Literal["x"],)}, "would be refused, because a may be 'y'"),
    ],
)
def test_a_change_that_either_side_cannot_read_is_breaking(
    before: dict[str, Any], now: dict[str, Any], problem: str
) -> None:
    """Consumers are not replaced at the same moment, and events outlive a release."""
    (what,) = breaks(said(**before), said(**now))
    assert problem in what
    assert "in a way that breaks contracts.lock.json" in what


def test_the_next_version_is_proposed() -> None:
    """The finding says what to do instead."""
    report = judge_services(*said(a=(int,)), lock=promises_of(said(a=(str,))))
    (finding,) = (one for one in report.findings if one.code == "CHO112")
    assert "publish the new shape beside it, as thing.said.v2" in finding.do


def test_a_contract_that_is_gone_is_told() -> None:
    """A consumer may still wait for it."""
    (what,) = breaks(said(a=(str,)), [Service("other")])
    assert what == "thing.said.v1 is promised in contracts.lock.json, and no service publishes it any more."


SAID = PromisePlace(EVENTS, "", "thing.said.v1")


def test_another_owner_is_a_breaking_change() -> None:
    """Consumers would no longer accept the source of events that are in flight."""
    lock = promises_of(said())
    lock[SAID] = {**lock[SAID], "owner": "elsewhere"}
    report = judge_services(*said(), lock=lock)
    assert any("its owner was 'elsewhere' and is 'things'" in finding.what for finding in report.findings)


def test_rendering_never_replaces_a_promise_by_what_breaks_it() -> None:
    """Otherwise the next render would remove the finding."""
    lock = promises_of(said(a=(str,)))
    changed = merged(lock, said(a=(int,)))
    assert changed[SAID] == lock[SAID]
    assert merged(lock, said(a=(str,), b=(int, 0))) == promises_of(said(a=(str,), b=(int, 0)))
    assert merged(lock, [Service("other")]).items() >= lock.items()


def test_a_lock_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """It is sorted, has no descriptions, and says where it comes from."""
    lock = promises_of(said(a=(str,)))
    (tmp_path / FILE).write_text(written(lock, "apps.things"))
    assert read_lock(tmp_path) == lock
    assert "choreography render apps.things" in json.loads((tmp_path / FILE).read_text())["rendered"]
    assert "description" not in written(lock, "x")
    assert read_lock(tmp_path / "elsewhere") is None


def test_a_lock_of_the_first_format_is_read_and_written_anew(tmp_path: Path) -> None:
    """It held only events, each with its topic; the topic is no longer part of the promise."""
    now = promises_of(said(a=(str,)))
    old = {"topic": "things", "subject": "thing", "schema": now[SAID]["schema"]}
    (tmp_path / FILE).write_text(json.dumps({"rendered": "By hand.", "thing.said.v1": old}))
    lock = read_lock(tmp_path)
    assert lock is not None
    assert is_outdated(lock)
    assert [finding.code for finding in judge_services(*said(a=(str,)), lock=lock).findings] == []
    assert "a is an integer" in "".join(one.what for one in judge_services(*said(a=(int,)), lock=lock).findings)
    (tmp_path / FILE).write_text(written(merged(lock, said(a=(str,))), "x"))
    assert read_lock(tmp_path) == now


@pytest.mark.parametrize(
    "content",
    [
        '{"thing.said.v1": 3}',
        '{"format": 3, "events": {}, "services": {}}',
        '{"format": 2, "events": {}, "services": {"things": {"joins": {"wait": {"entity": "thing"}}}}}',
        '{"format": 2, "events": {}, "services": {"things": {"jions": {"wait": {"entity": "thing"}}}}}',
    ],
)
def test_a_lock_that_is_not_understood_is_no_lock(tmp_path: Path, content: str) -> None:
    """A promise that is ignored is not kept."""
    (tmp_path / FILE).write_text(content)
    with pytest.raises(LockError, match="Bring it back from version control"):
        read_lock(tmp_path)


def test_a_lock_that_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    """Rendering it anew would forget what was promised."""
    (tmp_path / FILE).write_text('{"thing.said.v1": 3}')
    with pytest.raises(LockError, match=r"Bring it back from version control; do not render it anew"):
        read_lock(tmp_path)
