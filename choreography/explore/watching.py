"""Which reaction decided what, so that whoever decides twice and not the same can be named."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from choreography.declaration import Reaction
from choreography.explore.reaching import reached
from choreography.service import Service

Call = tuple[str, Any]
"""The name of a function, and what it returned or raised."""


class Watched:
    """Notes down every call of the reactions of some services.

    Attributes:
        ran: the service and the name of each reaction that was ever called.
        reached: the service and the name of reactions that reached for files and the like, and for what.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self.reached: dict[str, str] = {}
        self.ran: set[tuple[str, str]] = set()

    def service(self, service: Service) -> Service:
        """Return a service that decides the same and is watched."""
        watched = copy.copy(service)
        watched.subjects = {
            wire_type: replace(subject, reactions=[self._reaction(service.name, one) for one in subject.reactions])
            for wire_type, subject in service.subjects.items()
        }
        return watched

    def taken(self) -> list[Call]:
        """Return the calls since this was last asked."""
        calls, self._calls = self._calls, []
        return calls

    def _reaction(self, service: str, reaction: Reaction) -> Reaction:
        return replace(reaction, function=self._noting(service, reaction.name, reaction.function))

    def _noting(self, service: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def noted(**given: Any) -> Any:
            self.ran.add((service, name))
            with reached() as found:
                try:
                    decided = function(**given)
                except Exception as error:
                    self._calls.append((name, repr(error)))
                    raise
                finally:
                    if found:
                        self.reached.setdefault(f"{service}.{name}", found[0])
            self._calls.append((name, decided))
            return decided

        return noted


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
