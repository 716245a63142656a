"""Records the result of each reaction, so that a reaction which decides two different things can be named."""

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
    """Evidence that a function is not pure: two different results, or something outside that it accessed."""

    name: str
    came: tuple[str, ...]


class Watched:
    """Records every call of the reactions and projections of some services, and repeats each call elsewhere.

    Attributes:
        ran: the service and the name of every function that was called.
        impure: the evidence against the functions that are not pure.
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
        """Repeat each call inside the block elsewhere, which also shows whether the function changed its arguments."""
        self._again = elsewhere
        try:
            yield
        finally:
            self._again = None

    def taken(self) -> list[Call]:
        """Return the calls since the last time this method was used."""
        calls, self._calls = self._calls, []
        return calls

    def _reaction(self, service: str, reaction: Reaction) -> Reaction:
        return replace(reaction, function=self._noting(service, reaction.name, reaction.function))

    def _projection(self, service: str, projection: Projection) -> Projection:
        def noted(**given: Any) -> Any:
            # One event may change several entities, each of which has rows of its own.
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
    except Exception as error:  # noqa: BLE001 - the caller gets the error
        return None, error


def other_than(first: Sequence[Call], second: Sequence[Call]) -> str:
    """Return the name of the first function that did something else; all names that ran if none did."""
    for one, other in zip_longest(first, second):
        if one != other:
            return str((one or other)[0])
    return " or ".join(dict.fromkeys(name for name, _ in first))


def wavered(calls: Sequence[Call]) -> str:
    """Return the name of a reaction that decided something else on the same input, if there is one."""
    decided: dict[str, Any] = {}
    return next((name for name, one in calls if decided.setdefault(name, one) != one), "")


def shown_calls(calls: Sequence[Call]) -> str:
    """Return the results of calls in short."""
    return "; ".join(str(value) for _, value in calls)
