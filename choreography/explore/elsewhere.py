"""Another clock and another seed: a pure function decides the same under them."""

from __future__ import annotations

import datetime as dt
import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType, TracebackType
from typing import Any, Final

from choreography.explore.properties import ExploreError
from choreography.service import Service

_LATER: Final = dt.timedelta(days=400, hours=7, minutes=13, seconds=11)
_SEED: Final = 4711
_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")


class ImpureError(ExploreError):
    """A function that must be pure is not."""

    def __init__(self, name: str, given: str, *decided: str, where: str = "under another clock and seed") -> None:
        super().__init__(
            f"{name} is not pure: given {given}, it decided twice, and not the same.\n"
            f"  first: {decided[0]}\n"
            f"  {where}: {decided[1]}\n"
            "Production runs it again after a conflict or a crash, so nobody could tell which of them counts. Take the "
            "clock, chance, counters and everything that outlives the call out of it: times and ids from the event, "
            "and what must be remembered into an entity."
        )


class _AnyDate(type(dt.date)):  # type: ignore[misc]
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, cls.__mro__[1])


class _LaterDatetime(dt.datetime, metaclass=_AnyDate):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return dt.datetime.now(tz) + _LATER

    @classmethod
    def today(cls) -> Any:
        return dt.datetime.today() + _LATER  # noqa: DTZ002 - as whoever calls it

    @classmethod
    def utcnow(cls) -> Any:
        return dt.datetime.now(dt.UTC).replace(tzinfo=None) + _LATER


class _LaterDate(dt.date, metaclass=_AnyDate):
    @classmethod
    def today(cls) -> Any:
        return dt.date.today() + _LATER  # noqa: DTZ011 - as whoever calls it


class Elsewhere:
    """Replaces, for as long as it is entered, the clock and the chance that the modules of some services see."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._swaps = [(module.__dict__, name, other) for module, name, other in _swaps(services)]
        self._before: list[tuple[dict[str, Any], str, Any]] = []
        self._chance: Any = None

    def __enter__(self) -> None:
        self._chance = random.getstate()
        random.seed(_SEED)
        self._before = [(names, name, names[name]) for names, name, _ in self._swaps]
        for names, name, other in self._swaps:
            names[name] = other

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for names, name, before in self._before:
            names[name] = before
        random.setstate(self._chance)


def _swaps(services: Sequence[Service]) -> Iterator[tuple[ModuleType, str, Any]]:
    clocks = {clock: _later(getattr(time, clock), whole=clock.endswith("_ns")) for clock in _CLOCKS}
    dates = {"datetime": _LaterDatetime, "date": _LaterDate}
    # Only what these modules see is replaced: others, such as an event loop, may look at the clock meanwhile.
    later = {
        id(dt): _other(dt, dates),
        id(time): _other(time, clocks),
        **{id(getattr(dt, name)): other for name, other in dates.items()},
        **{id(getattr(time, name)): other for name, other in clocks.items()},
    }
    for module in _modules(services):
        for name, value in list(vars(module).items()):
            if id(value) in later:
                yield module, name, later[id(value)]


def _modules(services: Sequence[Service]) -> Iterator[ModuleType]:
    """Yield the modules of the flow: those that hold reactions, commands and effects, and those beside them."""
    homes = {
        reaction.function.__module__
        for service in services
        for subject in service.subjects.values()
        for reaction in subject.reactions
    } | {command.function.__module__ for service in services for command in service.commands}
    beside = {home.rpartition(".")[0] for home in homes} - {""}
    for name, module in list(sys.modules.items()):
        if name in homes or (name.rpartition(".")[0] in beside and not name.startswith("choreography.")):
            yield module


def _later(clock: Callable[[], Any], *, whole: bool) -> Callable[[], Any]:
    shift = _LATER.total_seconds()
    return lambda: clock() + (int(shift) * 10**9 if whole else shift)


def _other(module: ModuleType, replaced: Mapping[str, Any]) -> ModuleType:
    other = ModuleType(module.__name__)
    vars(other).update({**vars(module), **replaced})
    return other
