"""Checks that need the whole service file: everything that begins in it must lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.errors import PydanticUndefinedAnnotation

from choreography.contracts import Answer, Event, Intent, Value
from choreography.declaration import Effect, View
from choreography.declared import Declared
from choreography.errors import DeclarationError
from choreography.listing import ListView


def refuse_incomplete(service: Declared) -> None:
    """Refuse an incomplete service.

    Raises:
        DeclarationError: an intent without an effect, an answer or a command without a reaction, a view of an entity
            that is never kept, a join without a reaction to its undo, a projection or a hook that is never called.
    """
    for contract in contracts_of(service):
        _check_finished(service, contract)
    _check_intents(service)
    for effect in service.effects.values():
        for answer in effect.answers:
            _check_answer(service, effect, answer)
    for command in service.commands:
        if command.event.wire_type not in service.subjects:
            raise DeclarationError(
                f"{service.name} accepts {command.event.__name__} at {command.path} but does not react to it, "
                f"so it would forget what it accepted. Add @{service.name}.on({command.event.__name__})."
            )
    shown: list[View | ListView] = [*service.views, *service.lists]
    for view in shown:
        if view.entity not in service.entities:
            raise DeclarationError(
                f"{service.name} shows {view.entity.__name__} at {view.path}, but no reaction takes it, so there would "
                "never be one to show. Add the reaction that keeps it, or drop the view."
            )
    paths = [one.path for one in service.lists]
    for path in {path for path in paths if paths.count(path) > 1}:
        raise DeclarationError(f"{service.name} has two lists at {path!r}; only the first would be reached. Keep one.")
    _check_joins(service)
    _check_own_tables(service)


def contracts_of(service: Declared) -> Iterator[type[Value]]:
    """Yield the classes of all events, entities, intents, answers and requests of a service, some more than once."""
    yield from service.publishes
    yield from service.entities
    for command in service.commands:
        yield from (body for _, body in filter(None, [command.body]))
    for effect in service.effects.values():
        yield from (effect.intent, *effect.answers)
    for subject in service.subjects.values():
        yield from (model for reaction in subject.reactions for model in reaction.hears)


def _check_finished(service: Declared, contract: type[Value]) -> None:
    try:
        contract.model_rebuild()
    except PydanticUndefinedAnnotation as error:
        raise DeclarationError(
            f"{service.name} uses {contract.__name__}, which mentions {error.name}, and nothing of that name is there, "
            "so nobody can tell what it holds. Import it where the contract is declared, not only for type checkers."
        ) from error


def _check_intents(service: Declared) -> None:
    intents = {
        said
        for subject in service.subjects.values()
        for reaction in subject.reactions
        for said in reaction.said
        if issubclass(said, Intent)
    }
    for intent in sorted(intents - service.effects.keys(), key=lambda kind: kind.__name__):
        raise DeclarationError(
            f"{service.name} decides {intent.__name__}, but no effect carries it out. "
            f'Add @{service.name}.effect(outside="...") for it.'
        )


def _check_answer(service: Declared, effect: Effect, answer: type[Answer]) -> None:
    if answer.wire_type not in service.subjects:
        raise DeclarationError(
            f"The effect {effect.name} may answer {answer.__name__}, to which nothing reacts. "
            f"Add @{service.name}.on({answer.__name__})."
        )
    for reaction in service.subjects[answer.wire_type].reactions:
        for named in reaction.named:
            if named.path[0] not in effect.intent.model_fields:
                raise DeclarationError(
                    f"The reaction {reaction.name} finds its {named.entity.__name__} by {named.path[0]!r}, which the "
                    f"intent {effect.intent.__name__} lacks; a repeat could not tell whether it was answered. Add it."
                )


def _check_joins(service: Declared) -> None:
    reactions = [reaction for subject in service.subjects.values() for reaction in subject.reactions]
    undone = {(one.name, one.hears[0]) for one in reactions if one.style == "undo"}
    for reaction in reactions:
        for heard in reaction.hears if reaction.style == "join" else ():
            for undoing in heard.undone_by if issubclass(heard, Event) else ():
                if (reaction.name, undoing) not in undone:
                    raise DeclarationError(
                        f"The join {reaction.name} was declared before {undoing.__name__}, so it would not notice that "
                        f"{heard.__name__} was undone. Import {undoing.__name__} above the join."
                    )


def _check_own_tables(service: Declared) -> None:
    for projection in service.projections:
        if projection.entity not in service.entities:
            raise DeclarationError(
                f"The projection {projection.name} of {service.name} makes rows of {projection.entity.__name__}, but "
                "no reaction takes it, so there would never be any. Add the reaction that keeps it, or drop the "
                "projection."
            )
    for hook in service.hooks:
        for heard in hook.hears:
            if heard.wire_type not in service.subjects:
                raise DeclarationError(
                    f"The hook {hook.name} of {service.name} is declared for {heard.__name__}, which no reaction "
                    f"hears, so it would never be called. Add @{service.name}.on({heard.__name__})."
                )
