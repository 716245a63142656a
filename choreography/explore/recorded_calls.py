"""One function of a flow and its input, recorded so that it can be called again: later, or in another process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple
from typing import Any, Final, Literal, NamedTuple

import orjson
from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from choreography.analysis.examples import SIZES, NoExampleError, example_data, variants
from choreography.declaration import Command
from choreography.engine.commanding import Commanding
from choreography.engine.records import EntityRecord
from choreography.explore.carrying_out import CarriedOut
from choreography.explore.determinism import Call, shown_calls
from choreography.explore.elsewhere import ImpureError
from choreography.explore.model import Model
from choreography.explore.production_step import Arrival, Consequences, Deciding, Made, Tried, canonical
from choreography.explore.properties import Property
from choreography.explore.remembering import Texts, judged_again
from choreography.explore.scenario import Scenario
from choreography.explore.side_effects import reached
from choreography.service import Service

Kind = Literal["reaction", "command", "effect", "property", "scenario"]

_COMMAND_ID: Final = "the-id-of-a-command"
_VARIANTS: Final = 4
"""So many requests of each size are made up for a command whose body has closed fields."""


class Trial(NamedTuple):
    """One function on one input.

    Attributes:
        kind: the sort of the function.
        name: its service and its name, or only its name if it belongs to no service.
        given: its input as JSON.
    """

    kind: Kind
    name: str
    given: str

    @property
    def shown(self) -> str:
        """The input in short: for a reaction the event, without the stored state."""
        if self.kind != "reaction":
            return self.given
        _, _, wire_type, text = orjson.loads(self.given)["heard"]
        return f"{wire_type} {text}"


class CallResult(NamedTuple):
    """The result of a trial.

    Attributes:
        text: the whole result, as the text by which it is compared.
        shown: the result in short, for a reader.
        parts: the result of each function, in the order of the calls.
    """

    text: str
    shown: str
    parts: tuple[tuple[str, str], ...]


class Trying:
    """Calls the functions of a flow in the same way as the engine and the explorer."""

    def __init__(self, model: Model, deciding: Deciding) -> None:
        self._model, self._deciding = model, deciding
        self._commands = {
            f"{service.name}.{command.name}": (Commanding(service), command)
            for service in model.services
            for command in service.commands
        }
        self._properties = {one.name: one for one in model.properties}

    def try_(self, trial: Trial) -> CallResult:
        """Try a function on an input that it shares with no other call."""
        given = orjson.loads(trial.given)
        match trial.kind:
            case "reaction":
                heard = Arrival(*given["heard"])
                kept = {
                    (at, kind, key): EntityRecord(state=one[0], slots=one[1]) for at, kind, key, one in given["kept"]
                }
                return came_of_reaction(heard.service, *self._deciding.anew(heard, kept))
            case "effect":
                return came_of_effect(*self._deciding.ways(*given))
            case "command":
                return self._command(trial.name, given)
            case "property":
                return self._property(trial.name, given)
            case "scenario":
                return came_of_scenario(self._model.scenario(trial.name, **given))

    def _command(self, name: str, given: Mapping[str, Any]) -> CallResult:
        commanding, command = self._commands[name]
        arguments = _arguments(command, given)
        with reached() as beyond:
            try:
                said = commanding.event(command, _COMMAND_ID, arguments)
            except Exception as error:  # noqa: BLE001 - the error is its result
                text = f"{type(error).__name__}: {error}"
            else:
                text = f"{said.wire_type} {canonical(said.model_dump(mode='json'))}"
        for what in beyond:
            raise ImpureError(name, canonical(given), f"{what}.", kind="command")
        return CallResult(text, text, ((name, text),))

    def _property(self, name: str, given: Mapping[str, Any]) -> CallResult:
        texts = {tuple(part): tuple(texts) for part, texts in given["texts"]}
        text = judged_again(self._properties[name], texts, tuple(given["flows"]), given["flow"])
        return CallResult(text, text, ((f"the property {name}", text),))


def trial_of_reaction(made: Made) -> Trial:
    """Return a decision as a trial."""
    kept = [[*place, [record.state, record.slots]] for place, record in made.kept]
    return _trial("reaction", made.heard.service, {"heard": astuple(made.heard), "kept": kept})


def came_of_reaction(service: str, decided: Consequences, calls: Sequence[Call]) -> CallResult:
    """Return the result of a decision."""
    kept = [[*place, record.state, record.slots] for place, record in decided.kept]
    text = canonical([kept, decided.said, decided.intents, decided.deadlines, decided.rows, decided.problem])
    return CallResult(text, decided.told, tuple((f"{service}.{name}", repr(value)) for name, value in calls))


def trial_of_property(prop: Property, flows: tuple[str, ...], flow: str, texts: Texts) -> Trial:
    """Return a property and the parts that it read as a trial."""
    return _trial("property", prop.name, {"flows": flows, "flow": flow, "texts": list(texts.items())})


def came_of_property(prop: Property, *, verdict: bool) -> CallResult:
    """Return a verdict."""
    return CallResult(str(verdict), str(verdict), ((f"the property {prop.name}", str(verdict)),))


def trial_of_effect(tried: Tried) -> Trial:
    """Return an effect and its intent as a trial."""
    return _trial("effect", tried.service, [tried.service, tried.effect, tried.body])


def came_of_effect(found: Sequence[CarriedOut], calls: Sequence[Call]) -> CallResult:
    """Return the results of every way to carry out an intent."""
    return CallResult(repr(found), shown_calls(calls), tuple((name, str(value)) for name, value in calls))


def trials_of_command(service: Service, command: Command) -> Iterator[Trial]:
    """Yield generated requests for a command as trials.

    Raises:
        NoExampleError: no valid body can be generated.
    """
    path = {name: _in_path(name, hint) for name, hint in command.path_parameters.items()}
    for body in _bodies(command):
        yield _trial("command", f"{service.name}.{command.name}", {"path": path, "body": body})


def _bodies(command: Command) -> list[Any]:
    if command.body is None:
        return [None]
    model = command.body[1]
    made = [one.model_dump(mode="json") for size in SIZES for one in variants(model, size, _VARIANTS).picked]
    return [one for number, one in enumerate(made) if one not in made[:number]]


def _in_path(name: str, hint: Any) -> str:
    try:
        schema = TypeAdapter(hint).json_schema()
        whole = {"type": "object", "properties": {name: schema}, "required": [name], "$defs": schema.pop("$defs", {})}
        text = str(example_data(whole)[name])
        TypeAdapter(hint).validate_python(text)
    except (PydanticUserError, ValidationError) as error:
        raise NoExampleError(
            f"No example of {name!r} in its path can be made up ({type(error).__name__}). "
            'Give one: Annotated[..., Field(examples=["..."])].'
        ) from error
    return text


def _arguments(command: Command, given: Mapping[str, Any]) -> dict[str, Any]:
    """Read the arguments of a command in the same way as its route."""
    arguments = {
        name: TypeAdapter(hint).validate_python(given["path"][name]) for name, hint in command.path_parameters.items()
    }
    if command.body:
        name, model = command.body
        arguments[name] = model.model_validate_json(orjson.dumps(given["body"]), strict=True)
    return arguments


def trial_of_scenario(scenario: Scenario) -> Trial:
    """Return the maker of a scenario as a trial."""
    return _trial("scenario", scenario.name, to_jsonable_python(dict(scenario.settings)))


def came_of_scenario(scenario: Scenario) -> CallResult:
    """Return the content of a scenario."""
    begun = [
        f"{type(one).__name__} {canonical(one.model_dump(mode='json'))}" for one in (*scenario.keeps, *scenario.says)
    ]
    text = "; ".join((", ".join(scenario.flows), *begun))
    return CallResult(text, text, ((f"the scenario {scenario.name}", text),))


def _trial(kind: Kind, name: str, given: Any) -> Trial:
    return Trial(kind, name, orjson.dumps(given).decode())
