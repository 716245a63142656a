"""Another clock, seed and environment: a pure function decides the same under them."""

from __future__ import annotations

import datetime as dt
import os
import platform
import random
import socket
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType, TracebackType
from typing import Any, Final

from choreography.explore.properties import ExploreError

_LATER: Final = dt.timedelta(days=400, hours=7, minutes=13, seconds=11)
_SEED: Final = 4711
_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time")

ELSEWHERE: Final = "under another clock, environment and seed"

WHY: Final[Mapping[str, str]] = {
    "reaction": (
        "Production runs it again after a conflict or a crash, so nobody could tell which of them counts. Take the "
        "clock, chance, counters, the order of sets, hash() and id(), the environment, files and everything that "
        "outlives the call out of it: times and ids from the event, and what must be remembered into an entity."
    ),
    "command": (
        "A request that is sent again must become the same event, and so it would be refused. Take the clock, chance, "
        "counters, the order of sets, the environment and everything that outlives the call out of it: ids come as "
        "NewId, everything else from the request."
    ),
    "effect": (
        "A call that is made again under the same key must be the same call, and its answer must follow from the "
        "reply, or no run could be taken again. Decide times and ids before, and put them into the intent."
    ),
    "property": (
        "A verdict that changes by itself says nothing about the flow. Let it look at the world that it is given, and "
        "at nothing else: no clock, no chance, no order of sets, nothing that outlives the call."
    ),
    "scenario": (
        "A run that is found could not be taken again from another beginning. Let it depend on its settings alone: "
        "write ids and times as they are."
    ),
}
"""Why each sort of function must be pure, and what to do."""


class ImpureError(ExploreError):
    """A function that must be pure is not.

    Args:
        name: the function.
        given: its input.
        came: the first result and the second one; or the thing that it accessed.
        where: the difference between the first and the second call.
        kind: the sort of function.
    """

    def __init__(self, name: str, given: str, *came: str, where: str = ELSEWHERE, kind: str = "reaction") -> None:
        twice = f"it was called twice, and not the same came of it.\n  first: {came[0]}\n  {where}: {came[-1]}"
        super().__init__(f"{name} is not pure: given {given}, {twice if came[1:] else came[0]}\n{WHY[kind]}")


class _AnyDate(type(dt.date)):  # type: ignore[misc]
    def __instancecheck__(cls, one: object) -> bool:
        return isinstance(one, cls.__mro__[1])


class _LaterDatetime(dt.datetime, metaclass=_AnyDate):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return dt.datetime.now(tz) + _LATER

    @classmethod
    def today(cls) -> Any:
        return dt.datetime.today() + _LATER  # noqa: DTZ002 - as in the replaced function

    @classmethod
    def utcnow(cls) -> Any:
        return dt.datetime.now(dt.UTC).replace(tzinfo=None) + _LATER


class _LaterDate(dt.date, metaclass=_AnyDate):
    @classmethod
    def today(cls) -> Any:
        return dt.date.today() + _LATER  # noqa: DTZ011 - as in the replaced function


class _OtherEnvironment(Mapping[str, str]):
    """An environment in which every variable is set, to a value that differs from the real one."""

    def __getitem__(self, name: str) -> str:
        return f"elsewhere {name}"

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __iter__(self) -> Iterator[str]:
        return iter(("ELSEWHERE",))

    def __len__(self) -> int:
        return 1


class Elsewhere:
    """Replaces, while it is entered, the clock, chance and environment that some modules see."""

    def __init__(self, modules: Iterable[ModuleType]) -> None:
        self._swaps = [(module.__dict__, name, other) for module, name, other in _swaps(modules)]
        self._before: list[tuple[dict[str, Any], str, Any]] = []

    def __enter__(self) -> None:
        self._before = [(names, name, names[name]) for names, name, _ in self._swaps]
        for names, name, other in self._swaps:
            names[name] = other

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for names, name, before in self._before:
            names[name] = before


def _swaps(modules: Iterable[ModuleType]) -> Iterator[tuple[ModuleType, str, Any]]:
    # Only the names in these modules are replaced: other code, such as an event loop, may read the clock meanwhile.
    others = dict(_others())
    for module in modules:
        for name, value in list(vars(module).items()):
            if id(value) in others:
                yield module, name, others[id(value)]


def _others() -> Iterator[tuple[int, Any]]:
    """Yield the replacements by the identity of the original: functions and classes, and the modules that hold them."""
    environment = _OtherEnvironment()
    clocks = {clock: _later(getattr(time, clock), whole=clock.endswith("_ns")) for clock in _CLOCKS}
    chance = random.Random(_SEED)  # noqa: S311 - it replaces random numbers, not secrets
    chances = {name: getattr(chance, name) for name in random.__all__ if hasattr(chance, name)}
    machine = {name: _constant("elsewhere") for name in ("node", "platform", "machine")}
    replaced: list[tuple[ModuleType, Mapping[str, Any]]] = [
        (dt, {"datetime": _LaterDatetime, "date": _LaterDate}),
        (time, clocks),
        (random, chances),
        (socket, {name: _constant("elsewhere") for name in ("gethostname", "getfqdn")}),
        (platform, machine),
        (
            os,
            {
                "environ": environment,
                "getenv": lambda key, _default=None: environment[key],
                "getpid": _constant(os.getpid() + 1),
                "getppid": _constant(os.getppid() + 1),
                "getcwd": _constant(os.path.join(os.sep, "elsewhere")),  # noqa: PTH118 - as the function that it replaces
                "cpu_count": _constant((os.cpu_count() or 1) + 1),
            },
        ),
        (sys, {"argv": ["elsewhere"]}),
    ]
    for module, names in replaced:
        yield id(module), _other(module, names)
        for name, other in names.items():
            yield id(getattr(module, name)), other


def _later(clock: Callable[[], Any], *, whole: bool) -> Callable[[], Any]:
    shift = _LATER.total_seconds()
    return lambda: clock() + (int(shift) * 10**9 if whole else shift)


def _constant(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


def _other(module: ModuleType, replaced: Mapping[str, Any]) -> ModuleType:
    other = ModuleType(module.__name__)
    vars(other).update({**vars(module), **replaced})
    return other
