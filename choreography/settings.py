"""Everything a running service takes from its environment, read once, in one place."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Self

from choreography.errors import ChoreographyError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class Settings:
    """Configuration of one service process.

    Attributes:
        port: the port on which the app listens (``APP_PORT``).
        host: the address on which it listens (``APP_HOST``); the sidecar is on the same machine or in the same pod.
        sidecar: base URL of the sidecar's HTTP API (``DAPR_HTTP_PORT`` or ``DAPR_HTTP_ENDPOINT``).
        sidecar_token: the token that the sidecar demands (``DAPR_API_TOKEN``).
        app_token: the token that the sidecar shows (``APP_API_TOKEN``); without it anyone who reaches the port may
            deliver.
        pubsub: the pub/sub component, or a pattern with ``{topic}`` where each topic needs its own
            (``CHOREOGRAPHY_PUBSUB``).
        topic_prefix: the prefix of the names of all topics on the broker (``CHOREOGRAPHY_TOPIC_PREFIX``); the name of
            the flow where a flow is served, so that several flows can share a broker.
        database: the URL of the database that keeps the state, such as ``postgresql://user:password@host/checkout`` or
            ``sqlite:///order.db`` (``CHOREOGRAPHY_DATABASE``, or the file that ``CHOREOGRAPHY_DATABASE_FILE`` names);
            without it the state store of the sidecar keeps the state.
        schema: the schema in it (``CHOREOGRAPHY_SCHEMA``; the default is made of the flow's and the service's name).
        store: the state store component, where there is no database (``CHOREOGRAPHY_STORE``).
        lists: whether lists are served; the state store of the sidecar cannot serve lists, so with it a service with
            lists only starts with ``CHOREOGRAPHY_LISTS=off``.
        zipkin: the URL to which spans are sent (``ZIPKIN_ENDPOINT``); if empty, none are sent.
        sampling: the share of flows that are traced (``CHOREOGRAPHY_SAMPLING``): the same flows in every service, as a
            hash of the flow's id decides if no traceparent does.
        deadlines: delays that differ from the declared ones, by name (``CHOREOGRAPHY_DEADLINES=overdue=5s``).
        replica: a name that this process keeps over restarts (``CHOREOGRAPHY_REPLICA``; the default is host name and
            port).
        intake_open: whether commands are accepted and deadlines fire; with ``CHOREOGRAPHY_INTAKE=closed`` neither
            happens, so that work under way can end (see ``choreography drain``).
        reminder: how long after its acceptance a command is checked, and how often while its event has no outcome
            (``CHOREOGRAPHY_REMINDER=30s``).
        self_check: whether to probe store and broker at the start (``CHOREOGRAPHY_SELF_CHECK``).
        caller_header: the header in which the authenticating proxy names the caller (``CHOREOGRAPHY_CALLER_HEADER``).
        log_level: the lowest level that is logged (``CHOREOGRAPHY_LOG``); ``debug`` logs a line for every event.
        outsides: base URLs of the outside systems by name (``OUTSIDE_<NAME>``).
    """

    port: int = 8000
    host: str = "127.0.0.1"
    sidecar: str = "http://127.0.0.1:3500"
    sidecar_token: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    pubsub: str = "pubsub"
    topic_prefix: str = ""
    database: str = field(default="", repr=False)
    schema: str = ""
    store: str = "statestore"
    lists: bool = True
    zipkin: str = ""
    sampling: float = 1.0
    deadlines: Mapping[str, timedelta] = field(default_factory=dict)
    replica: str = "one"
    intake_open: bool = True
    reminder: timedelta = timedelta(seconds=30)
    self_check: bool = True
    caller_header: str = "x-caller"
    log_level: str = "info"
    outsides: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Read the environment.

        Raises:
            ChoreographyError: a value is not valid.
        """
        env = os.environ if environment is None else environment
        try:
            return cls(
                port=int(env.get("APP_PORT", "8000")),
                host=env.get("APP_HOST", "127.0.0.1"),
                sidecar=env.get("DAPR_HTTP_ENDPOINT") or f"http://127.0.0.1:{int(env.get('DAPR_HTTP_PORT', '3500'))}",
                sidecar_token=env.get("DAPR_API_TOKEN", ""),
                app_token=env.get("APP_API_TOKEN", ""),
                pubsub=env.get("CHOREOGRAPHY_PUBSUB", "pubsub"),
                topic_prefix=env.get("CHOREOGRAPHY_TOPIC_PREFIX", ""),
                database=_database(env),
                schema=env.get("CHOREOGRAPHY_SCHEMA", ""),
                store=env.get("CHOREOGRAPHY_STORE", "statestore"),
                lists=_switch(env, "CHOREOGRAPHY_LISTS", "on", "off"),
                zipkin=env.get("ZIPKIN_ENDPOINT", ""),
                sampling=_share(env.get("CHOREOGRAPHY_SAMPLING") or "1"),
                deadlines=dict(_deadline(part) for part in env.get("CHOREOGRAPHY_DEADLINES", "").split(",") if part),
                replica=env.get("CHOREOGRAPHY_REPLICA") or f"{socket.gethostname()}:{env.get('APP_PORT', '8000')}",
                intake_open=_switch(env, "CHOREOGRAPHY_INTAKE", "open", "closed"),
                reminder=_reminder(env.get("CHOREOGRAPHY_REMINDER") or "30s"),
                self_check=env.get("CHOREOGRAPHY_SELF_CHECK", "on") != "off",
                caller_header=env.get("CHOREOGRAPHY_CALLER_HEADER", "x-caller").lower(),
                log_level=_level(env.get("CHOREOGRAPHY_LOG", "info")),
                outsides={
                    name.removeprefix("OUTSIDE_").lower().replace("_", "-"): url
                    for name, url in env.items()
                    if name.startswith("OUTSIDE_")
                },
            )
        except ValueError as error:
            raise ChoreographyError(f"A setting in the environment cannot be understood: {error}.") from error


def _database(env: Mapping[str, str]) -> str:
    """Return the URL of the database; in a file it can be mounted from a Secret and appears in no environment."""
    file = env.get("CHOREOGRAPHY_DATABASE_FILE", "")
    if not file:
        return env.get("CHOREOGRAPHY_DATABASE", "")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"CHOREOGRAPHY_DATABASE_FILE names {file}, which cannot be read: {error}") from error


def _level(text: str) -> str:
    if text.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError(f"CHOREOGRAPHY_LOG says {text!r}; write debug, info, warning or error")
    return text.lower()


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"CHOREOGRAPHY_SAMPLING says {text!r}; write the share of flows to be traced, 0 to 1: 0.1")
    return share


def _switch(env: Mapping[str, str], name: str, usual: str, other: str) -> bool:
    """Return whether a switch has its usual value."""
    text = env.get(name) or usual
    if text.lower() not in (usual, other):
        raise ValueError(f"{name} says {text!r}; write {usual} or {other}")
    return text.lower() == usual


def _reminder(text: str) -> timedelta:
    try:
        span = span_of(text)
    except ValueError as error:
        raise ValueError(f"CHOREOGRAPHY_REMINDER: {error}") from error
    if span <= timedelta(0):
        raise ValueError(f"CHOREOGRAPHY_REMINDER says {text!r}; a reminder comes after its command: 30s")
    return span


def span_of(text: str) -> timedelta:
    """Read a span of time, such as ``5s`` or ``10m``.

    Raises:
        ValueError: the text is no span of time, or has no unit.
    """
    unit = next((unit for unit in ("ms", "s", "m", "h", "d") if text.endswith(unit)), None)
    if unit is None:
        raise ValueError(f"{text!r} is no span of time; write a number with ms, s, m, h or d: 5s")
    try:
        span = timedelta(seconds=float(text.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is no span of time; write a number with {unit}: 5{unit}") from error
    if span < timedelta(0):
        raise ValueError(f"{text!r} is less than no time; write a number above zero: 5{unit}")
    return span


def _deadline(text: str) -> tuple[str, timedelta]:
    name, _, delay = text.strip().partition("=")
    try:
        return name, span_of(delay)
    except ValueError as error:
        raise ValueError(
            f"CHOREOGRAPHY_DEADLINES says {text!r}; write name=delay with ms, s, m, h or d: overdue=5s"
        ) from error
