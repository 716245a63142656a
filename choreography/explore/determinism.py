"""Which reaction decided what, so that whoever decides twice and not the same can be named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import zip_longest
from typing import Any, NamedTuple

from choreography.declaration import Reaction
from choreography.explore.elsewhere import Elsewhere
from choreography.explore.side_effects import reached
from choreography.own_tables import Projection
from choreography.service import Service

Call = tuple[str, Any]
"""The name of a function, and what it returned or raised."""


class Impure(NamedTuple):
    """What a reaction did that no pure function does: two results, or something that it reached for."""

    name: str
    came: tuple[str, ...]


class Watched:
    """Notes down every call of the reactions and projections of some services, and makes each once more elsewhere.

    Attributes:
        ran: the service and the name of each of them that was ever called.
        impure: what was seen of those that are not pure.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self.ran: set[tuple[str, str]] = set()
        self.impure: list[Impure] = []
        self._again: Elsewhere | None = None

    def service(self, service: Service) -> Service:
        """Return a service that decides the same and is watched."""
        subjects = {
            wire_type: replace(subject, reactions=[self._reaction(service.name, one) for one in subject.reactions])
            for wire_type, subject in service.subjects.items()
        }
        return service.deciding_by(subjects, [self._projection(service.name, one) for one in service.projections])

    @contextmanager
    def also_in(self, elsewhere: Elsewhere) -> Iterator[None]:
        """Make each call inside the block once more elsewhere, which also shows if it changed what it was given."""
        self._again = elsewhere
        try:
            yield
        finally:
            self._again = None

    def taken(self) -> list[Call]:
        """Return the calls since this was last asked."""
        calls, self._calls = self._calls, []
        return calls

    def _reaction(self, service: str, reaction: Reaction) -> Reaction:
        return replace(reaction, function=self._noting(service, reaction.name, reaction.function))

    def _projection(self, service: str, projection: Projection) -> Projection:
        def noted(**given: Any) -> Any:
            # One event may change several entities, of which each has rows of its own.
            entity = given[projection.parameter]
            return self._noting(service, f"{projection.name} of {entity.kind} {entity.key}", projection.function)(
                **given
            )

        return replace(projection, function=noted)

    def _noting(self, service: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(**given: Any) -> Any:
            self.ran.add((service, name))
            with reached() as beyond:
                decided, error = _called(function, given)
            self._calls.append((name, repr(error) if error else decided))
            self.impure += [Impure(f"{service}.{name}", (f"{what}.",)) for what in beyond]
            if self._again:
                with self._again:
                    other = _called(function, given)
                if (other[0], repr(other[1])) != (decided, repr(error)):
                    came = (repr(error or decided), repr(other[1] or other[0]))
                    self.impure.append(Impure(f"{service}.{name}", came))
            if error:
                raise error
            return decided

        return noted


def _called(function: Callable[..., Any], given: Mapping[str, Any]) -> tuple[Any, Exception | None]:
    try:
        return function(**given), None
    except Exception as error:  # noqa: BLE001 - whoever called it gets it
        return None, error


def other_than(first: Sequence[Call], second: Sequence[Call]) -> str:
    """Return the name of the function that was the first to do something else; of all that ran if none did."""
    for one, other in zip_longest(first, second):
        if one != other:
            return str((one or other)[0])
    return " or ".join(dict.fromkeys(name for name, _ in first))


def wavered(calls: Sequence[Call]) -> str:
    """Return the name of a reaction that was tried again on the same input and decided otherwise, if one was."""
    decided: dict[str, Any] = {}
    return next((name for name, one in calls if decided.setdefault(name, one) != one), "")


def shown_calls(calls: Sequence[Call]) -> str:
    """Return in short what calls returned."""
    return "; ".join(str(value) for _, value in calls)
