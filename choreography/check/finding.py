"""What a rule is, what it finds, and what all of them found."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from choreography.contracts import Entity
from choreography.errors import ChoreographyError
from choreography.insight.lifecycle import Lifecycle, lifecycle
from choreography.insight.promises import Lock
from choreography.insight.wiring import Wiring
from choreography.service import Service


class CheckError(ChoreographyError):
    """The check itself cannot be done, so nothing is known about the flow."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that must not be, with the reason that every finding of it repeats."""

    code: str
    title: str
    why: str
    look: Callable[[Checked], Iterable[Found]]


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule yields.

    Attributes:
        about: a stable name for what it is about, such as ``order.created.v1`` or ``shipping.dispatch``; a suppression
            names it.
        what: what is wrong, in a sentence.
        do: what to do about it, in a sentence.
        at: the class or function to look at, or the path of a file.
    """

    about: str
    what: str
    do: str
    at: object = None


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is wrong, ready to be shown. ``file`` is relative to the folder the flow is imported from."""

    code: str
    about: str
    what: str
    why: str
    do: str
    title: str
    file: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All that a check found.

    Attributes:
        suppressed: findings that somebody has given a reason for, with that reason.
        rules: how many rules were looked for.
        deploy: in which order to deploy services where versions of an event differ, in sentences.
        connections: how many connections sidecars open to brokers that want one for each topic, in sentences.
    """

    flow: str
    services: tuple[str, ...]
    findings: tuple[Finding, ...]
    suppressed: tuple[tuple[Finding, str], ...] = ()
    rules: int = 0
    deploy: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 if nothing is wrong, 1 if something is."""
        return 1 if self.findings else 0


@dataclass(frozen=True)
class Checked:
    """What the rules look at.

    Attributes:
        lock: the committed promises, or None where none are committed.
        folder: where the flow's package is, or None for services that were only made in memory.
        root: the folder the flow is imported from.
    """

    wiring: Wiring
    lock: Lock | None = None
    folder: Path | None = None
    root: Path | None = None
    _lives: dict[tuple[str, type[Entity]], Lifecycle] = field(default_factory=dict, repr=False)

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """The services of the flow."""
        return self.wiring.services

    def life(self, service: Service, entity: type[Entity]) -> Lifecycle:
        """Return the life of an entity, found once for all rules."""
        key = (service.name, entity)
        if key not in self._lives:
            self._lives[key] = lifecycle(service, entity)
        return self._lives[key]


def finding(rule: Rule, found: Found, root: Path | None) -> Finding:
    """Complete what a rule yields with the rule's reason and the place in the code."""
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
