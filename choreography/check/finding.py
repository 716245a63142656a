"""A rule, a finding of a rule, and the report of all findings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from choreography.analysis.lifecycle import Lifecycle, lifecycle
from choreography.analysis.promises import Lock, Promise, PromisePlace, promises_of
from choreography.analysis.wiring import Wiring
from choreography.contracts import Entity
from choreography.errors import ChoreographyError
from choreography.service import Service

T = TypeVar("T")


class CheckError(ChoreographyError):
    """The check itself is impossible, so nothing is known about the flow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, with the reason that every finding of it repeats."""

    code: str
    title: str
    why: str
    look: Callable[[CheckedFlow], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Found:
    """One result of a rule.

    Attributes:
        about: a stable name of the subject, such as ``order.created.v1`` or ``shipping.dispatch``; a suppression names
            it.
        what: the fault, in a sentence.
        do: the remedy, in a sentence.
        at: the class or function of the fault, or the path of a file.
    """

    about: str
    what: str
    do: str
    at: object = None


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault, ready to be shown. ``file`` is relative to the folder that the flow is imported from."""

    code: str
    about: str
    what: str
    why: str
    do: str
    title: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The results of a check.

    Attributes:
        suppressed: findings that a person has suppressed, with the reason.
        rules: the number of rules that were checked.
        deploy: the order in which to deploy services if versions of an event differ, in sentences.
        connections: the number of connections that sidecars open to brokers with one for each topic, in sentences.
        sampled: the reactions that were tried in a sample of their combinations only, in sentences.
    """

    flow: str
    services: tuple[str, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, str], ...] = ()
    rules: int = 0
    deploy: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()
    sampled: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if there is no finding, 1 if there is one."""
        return 1 if self.findings else 0


@dataclass(frozen=True)
class CheckedFlow:
    """The input of the rules.

    Attributes:
        lock: the committed promises, or None if there are none.
        folder: the folder of the flow's package, or None for services that exist only in memory.
        root: the folder that the flow is imported from.
        at_work: receives the name of each checked thing when its check begins.
    """

    wiring: Wiring
    lock: Lock | None = None
    folder: Path | None = None
    root: Path | None = None
    at_work: Callable[[str], None] = field(default=lambda _: None, repr=False)
    _known: dict[Hashable, Any] = field(default_factory=dict, repr=False)
    _tried: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services of the flow."""
        return self.wiring.services

    @cached_property
    def promises(self) -> Mapping[PromisePlace, Promise]:
        """Everything that the services promise now."""
        return promises_of(self.services)

    def once(self, key: Hashable, find: Callable[[], T]) -> T:
        """Return a result that is computed once for all rules."""
        if key not in self._known:
            self._known[key] = find()
        known: T = self._known[key]
        return known

    def life(self, service: Service, entity: type[Entity]) -> Lifecycle:
        """Return the lifecycle of an entity."""
        return self.once(("life", service.name, entity), lambda: self._live(service, entity))

    def _live(self, service: Service, entity: type[Entity]) -> Lifecycle:
        self.at_work(f"{service.name}: {entity.__name__}")
        life = lifecycle(service, entity)
        for reaction, (tried, there) in life.tried.items():
            self.note_tries(f"{service.name}.{reaction}", tried, there)
        return life

    def note_tries(self, reaction: str, tried: int, there: int) -> None:
        """Record how many of its combinations a reaction was tried in."""
        before = self._tried.get(reaction, (0, 0))
        self._tried[reaction] = (before[0] + tried, before[1] + there)

    @property
    def sampled(self) -> tuple[str, ...]:
        """The reactions that were tried in a sample of their combinations only, in sentences."""
        return tuple(
            f"{reaction} was tried in {tried:,} of {there:,} combinations of states and events: each choice at least "
            "once where there was room, then at random, the same ones in every check. A flaw of the others is not seen "
            "here."
            for reaction, (tried, there) in sorted(self._tried.items())
            if tried < there
        )


def finding(rule: Rule, found: Found, root: Path | None) -> Finding:
    """Complete the result of a rule with the rule's reason and the place in the code."""
    file, line = _place(found.at, root)
    return Finding(rule.code, found.about, found.what, rule.why, found.do, rule.title, file, line)


def _place(at: object, root: Path | None) -> tuple[str, int]:
    if isinstance(at, Path):
        return (_relative(at, root), 1)
    if not (inspect.isclass(at) or inspect.isfunction(at)):
        return ("", 0)
    try:
        file, (_, line) = inspect.getsourcefile(at), inspect.getsourcelines(at)
    except (OSError, TypeError):
        return ("", 0)
    return (_relative(Path(file), root), line) if file else ("", 0)


def _relative(file: Path, root: Path | None) -> str:
    return file.relative_to(root).as_posix() if root and file.is_relative_to(root) else file.name
