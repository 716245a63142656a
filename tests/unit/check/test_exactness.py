"""A validator that changes its own result again is reported; one that only refuses is not."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, BeforeValidator, field_validator, model_validator

from choreography import Decision, Entity, Event, Id, Service
from choreography.check import judge_services
from choreography.in_memory import InMemory


def positive(number: int) -> int:
    """Refuse what is not above nothing."""
    if number < 0:
        raise ValueError("it is below nothing")
    return number


def broken(number: int) -> Any:
    """Fail as only a mistake fails."""
    return [][number]


class Counted(Event, type="sheep.counted.v1", owner="meadow", subject="meadow", final=True):
    """Counted once more by each reader."""

    meadow: Id
    sheep: Annotated[int, AfterValidator(lambda number: number + 1)]


class Named(Event, type="sheep.named.v1", owner="meadow", subject="meadow", final=True):
    """Written in a way that changes once and then stays."""

    meadow: Id
    name: Annotated[str, BeforeValidator(str.strip), AfterValidator(str.title)]
    legs: int = 4

    @field_validator("legs")
    @classmethod
    def even(cls, legs: int) -> int:
        """Refuse odd numbers."""
        if legs % 2:
            raise ValueError("odd")
        return legs

    @model_validator(mode="after")
    def short(self) -> Named:
        """Refuse what is long."""
        if len(self.name) > 100:
            raise ValueError("long")
        return self


class Sold(Event, type="sheep.sold.v1", owner="meadow", subject="meadow", final=True):
    """With validators that refuse, one of them by mistake."""

    meadow: Id
    sheep: Annotated[int, AfterValidator(positive)] = 1
    lambs: Annotated[int, AfterValidator(lambda number: broken(number) if number else number)] = 0


class Meadow(Entity, key="meadow"):
    """So many sheep."""

    meadow: Id
    sheep: int = 0


def said(event: Any, **fields: Any) -> Service:
    """A service that says one event by a command and reacts to it."""
    service = Service("meadow", publishes=[event])

    def say(meadow: Any) -> Any:
        return event(meadow=meadow, **fields)

    say.__annotations__ = {"meadow": Id, "return": event}
    service.command("POST /sheep/{meadow}")(say)

    def keep(meadow: Any, heard: Any) -> Any:
        return meadow.but(sheep=meadow.sheep + 1) if heard else meadow

    keep.__annotations__ = {"meadow": Meadow, "heard": event, "return": Decision}
    service.on(event)(keep)
    return service


def test_a_contract_that_counts_its_readers_is_told() -> None:
    """The finding names the field, both values and what to do."""
    found = [one for one in judge_services(said(Counted, sheep=1)).findings if one.code == "CHO119"]
    (finding,) = found
    assert finding.about == "meadow:Counted"
    assert "sheep was" in finding.what
    assert "leave alone what it has already changed" in finding.do


def test_a_contract_whose_validators_come_to_rest_is_not_told() -> None:
    """Validators may change a value once, and may refuse it."""
    assert [one for one in judge_services(said(Named, name="dolly")).findings if one.code == "CHO119"] == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"sheep": -1}, "'sheep': Value error, it is below nothing"),
        ({"lambs": 3}, "The contract Sold failed over it: IndexError"),
    ],
)
def test_an_event_that_a_validator_refuses_is_quarantined_by_itself(data: dict[str, int], reason: str) -> None:
    """This holds for every exception of the validator; the event beside it is settled."""
    memory = InMemory(said(Sold))
    good = memory.delivery(Sold(meadow="m1"))
    values: dict[str, Any] = {"meadow": "m1", "sheep": 1, "lambs": 0, **data}
    bad = Sold.model_construct(**values)
    heard = memory.hear(memory.delivery(bad), good)
    assert len(heard.quarantined) == 1
    assert reason in heard.quarantined[0]
    assert memory.entities["meadow", "m1"] == Meadow(meadow="m1", sheep=1)
