"""The properties of a flow, as plain functions over its world: always, never, eventually, sometimes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, overload

from choreography.authored import told
from choreography.errors import ChoreographyError
from choreography.explore.world import Interruption, World

Mode = Literal["always", "never", "eventually", "sometimes"]

_SPOKEN = {
    "always": "must hold in every state, and here it does not",
    "never": "must hold in no state, and here it does",
    "eventually": "must hold when nothing is on its way any more, and here it does not",
    "sometimes": "must hold in some state, and there is none",
}


class ExploreError(ChoreographyError):
    """The thing to explore does not exist, or contradicts itself."""


@dataclass(frozen=True, slots=True)
class Property:
    """One property.

    Attributes:
        each: its function takes the id of a flow as well, and it is judged for each of them.
        settings: a `sometimes` must be possible only in scenarios with these settings.
    """

    mode: Mode
    name: str
    function: Callable[..., bool]
    each: bool
    text: str
    settings: tuple[tuple[str, Any], ...] = ()

    @property
    def complaint(self) -> str:
        """Return the message for a failure of this property."""
        return _SPOKEN[self.mode]

    def holds(self, world: World, flow: str = "") -> bool:
        """Judge one state; for one flow if the property takes one.

        Raises:
            ExploreError: the property failed, or its answer is no verdict.
        """
        try:
            verdict = self.function(world, flow) if self.each else self.function(world)
        except (ChoreographyError, Interruption):
            raise
        except Exception as error:
            raise ExploreError(
                f"The property {self.name} failed in a state that can occur, so nobody knows whether it holds: "
                f"{told(error)}. Let it answer True or False in every state, also where nothing has happened yet."
            ) from error
        if verdict.__class__ is not bool and not _can_be_both(verdict):
            raise ExploreError(
                f"The property {self.name} answered {verdict!r}, which says neither that it holds nor that it does "
                "not. Return True or False on every way through it."
            )
        return bool(verdict)

    def fails(self, world: World, flow: str = "") -> bool:
        """Tell whether this state breaks the property."""
        return self.holds(world, flow) == (self.mode == "never")


def _can_be_both(verdict: object) -> bool:
    """Tell whether the truth of a value depends on its content: not that of None, a function or a coroutine."""
    return verdict is not None and any(hasattr(type(verdict), name) for name in ("__bool__", "__len__"))


def always(function: Callable[..., bool]) -> Property:
    """Declare a property that holds in every state."""
    return _declared("always", function)


def never(function: Callable[..., bool]) -> Property:
    """Declare a state that never occurs."""
    return _declared("never", function)


def eventually(function: Callable[..., bool]) -> Property:
    """Declare a property that holds once nothing is under way any more: no event, no deadline, no answer."""
    return _declared("eventually", function)


@overload
def sometimes(function: Callable[..., bool], /) -> Property: ...


@overload
def sometimes(**settings: Any) -> Callable[[Callable[..., bool]], Property]: ...


def sometimes(
    function: Callable[..., bool] | None = None, /, **settings: Any
) -> Property | Callable[[Callable[..., bool]], Property]:
    """Declare a state that is possible. If it is not, other properties may hold only because nothing happens at all.

    Args:
        function: the property.
        settings: the state must be possible only in scenarios with these: ``@sometimes(cancel=True)``.
    """
    if function is not None:
        return _declared("sometimes", function)
    return lambda declared: replace(_declared("sometimes", declared), settings=tuple(settings.items()))


def _declared(mode: Mode, function: Callable[..., Any]) -> Property:
    parameters = len(inspect.signature(function).parameters)
    if parameters not in (1, 2):
        raise ExploreError(
            f"The property {function.__name__} takes {parameters} parameters. It is shown the world, and the id of a "
            f"flow if it is about each: def {function.__name__}(world: World, order_id: str) -> bool."
        )
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise ExploreError(
            f"The property {function.__name__} is no plain function, so its answer says neither that it holds nor that "
            "it does not. Leave out async and yield, and return True or False."
        )
    text = inspect.getdoc(function) or function.__name__.replace("_", " ")
    return Property(mode, function.__name__, function, parameters == 2, text.splitlines()[0])


@always
def nothing_is_quarantined(world: World) -> bool:
    """No reaction fails, so no event ends in quarantine."""
    return not world.quarantined
