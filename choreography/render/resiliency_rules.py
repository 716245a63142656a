"""The effective policies of a folder's Resiliency resources for each component, found the way a sidecar finds them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from choreography.render.resources import Resource

_SHOWN: Final = 3
_COPY: Final = "Take components/resiliency.yaml."


def judge_resiliency(resources: Sequence[Resource]) -> Iterator[str]:
    """Yield a sentence for each way in which a sidecar would give up messages, or repeat transactions."""
    policies = [resource for resource in resources if resource.kind == "Resiliency"]
    for resource in policies:
        if resource.place:
            yield (
                f"{resource.file}: the Resiliency {resource.name!r} is not the first document of its file, "
                "so it is ignored in silence and failed messages are lost. Put it into a file of its own."
            )
    read = [resource for resource in policies if resource.place == 0]
    yield from _replaced(read)
    lettered = {
        str(one.spec.get("pubsubname"))
        for one in resources
        if one.kind == "Subscription" and one.spec.get("deadLetterTopic")
    }
    # Many components or apps usually lack a policy for the same reason: one sentence names them all.
    subjects: dict[str, dict[str, None]] = {}
    for component in resources:
        if component.kind == "Component":
            for subject, what in _judge_component(component, read, letters=component.name in lettered):
                subjects.setdefault(what, {})[subject] = None
    for what, found in subjects.items():
        first, *others = found
        shown = ", ".join(one.partition(": ")[2] for one in others[:_SHOWN]) + (", ..." if others[_SHOWN:] else "")
        also = f", and {len(others)} more ({shown})," if others else ""
        yield f"{first}{also} {what}"


def _judge_component(component: Resource, read: Sequence[Resource], *, letters: bool) -> Iterator[tuple[str, str]]:
    """Yield each problem of a component: its subject and the fault."""
    scoped = any(resource.scopes for resource in read)
    for app in component.scopes if scoped and component.scopes else ("",):
        seen = _seen_by(app, read)
        said_for = f" for {app}" if app and len(seen) < len(read) else ""
        inbound, outbound = (
            f"{component.file}: {direction} of {component.name!r}{said_for}" for direction in ("inbound", "outbound")
        )
        retries = _named(seen, "retries")
        if component.type.startswith("pubsub."):
            heard = _Effective(seen, component.name, "Pubsub", "inbound")
            yield from ((inbound, what) for what in _inbound(heard, retries.get(heard.retry), letters=letters))
            told = _Effective(seen, component.name, "Pubsub", "outbound")
            yield from ((outbound, what) for what in _outbound_of_pubsub(told, retries.get(told.retry)))
        elif component.type.startswith("state."):
            kept = _Effective(seen, component.name, "Statestore", "outbound")
            yield from ((outbound, what) for what in _outbound_of_store(kept))


def _seen_by(app: str, read: Sequence[Resource]) -> list[Resource]:
    return [resource for resource in read if not app or not resource.scopes or app in resource.scopes]


def _replaced(read: Sequence[Resource]) -> Iterator[str]:
    named: dict[str, Resource] = {}
    for resource in read:
        for component in _targets(resource):
            other = named.setdefault(component, resource)
            # Two resources that never meet in one sidecar do not conflict.
            together = not other.scopes or not resource.scopes or set(other.scopes) & set(resource.scopes)
            if other is not resource and together:
                yield (
                    f"{resource.file}: it names {component!r}, which {other.file} names too. Of two, the "
                    "one read last replaces both directions of the other, so a retry may be gone. Name "
                    "each component once."
                )


class _Effective:
    """The policies that hold for one direction of one component: those that name it, else the defaults."""

    def __init__(
        self,
        read: Sequence[Resource],
        component: str,
        kind: Literal["Pubsub", "Statestore"],
        direction: Literal["inbound", "outbound"],
    ) -> None:
        target: Mapping[str, Any] | None = None
        for resource in read:
            target = _targets(resource).get(component, target)
        if target is not None:
            names = target.get(direction) or {}
            self.retry, self.timeout = str(names.get("retry") or ""), str(names.get("timeout") or "")
            self.breaker = str(names.get("circuitBreaker") or "")
        else:
            levels = (f"{kind}Component{direction.title()}", f"Component{direction.title()}", "Component", "")
            self.retry = _first(read, "retries", [f"Default{level}RetryPolicy" for level in levels])
            self.timeout = _first(read, "timeouts", [f"Default{level}TimeoutPolicy" for level in levels])
            self.breaker = _first(read, "circuitBreakers", [f"Default{level}CircuitBreakerPolicy" for level in levels])


def _inbound(holds: _Effective, retry: Mapping[str, Any] | None, *, letters: bool) -> Iterator[str]:
    at_once = "; with a dead letter topic, every message that fails once ends there" if letters else ""
    if not holds.retry:
        yield f"has no retry policy, so a message whose handler failed once may be lost{at_once}. {_COPY}"
    elif retry is None:
        yield (
            f"names the retry policy {holds.retry!r}, which is not there, so nothing is retried "
            f"and what fails once may be lost{at_once}. {_COPY}"
        )
    else:
        yield from _endless(holds.retry, retry)
    if holds.timeout:
        yield (
            f"has the timeout {holds.timeout!r}. With bulk deliveries attempts then overlap, which "
            "can end the sidecar. Remove it; the service bounds its own work."
        )
    if holds.breaker:
        yield (
            f"has the circuit breaker {holds.breaker!r}. While it is open every message is given up at once. Remove it."
        )


def _endless(name: str, retry: Mapping[str, Any]) -> Iterator[str]:
    if int(retry.get("maxRetries", -1)) >= 0:
        yield (
            f"gives up after {retry['maxRetries']} retries ({name!r}), so a store that is away for "
            "longer costs messages. Write `maxRetries: -1`."
        )
    if str(retry.get("policy", "constant")).lower() == "exponential":
        yield (
            f"retries exponentially ({name!r}), which gives up after fifteen minutes whatever "
            "maxRetries says. Write `policy: constant` and `duration: 500ms`."
        )
    if retry.get("matching"):
        yield (f"retries only some answers ({name!r}), and gives a message up at every other one. Remove `matching`.")


def _outbound_of_pubsub(holds: _Effective, retry: Mapping[str, Any] | None) -> Iterator[str]:
    if holds.timeout:
        yield (
            f"has the timeout {holds.timeout!r}, so a publish that was merely slow is reported as "
            "failed and its batch is run again. Remove it."
        )
    if retry is not None and int(retry.get("maxRetries", -1)) < 0:
        yield (
            f"retries for ever ({holds.retry!r}), so a batch hangs while the broker is away "
            "instead of being answered with RETRY. Write `maxRetries: 3`."
        )


def _outbound_of_store(holds: _Effective) -> Iterator[str]:
    unknown = "A transaction whose answer was lost may have been committed, and only the service can tell"
    if holds.retry:
        yield f"has the retry policy {holds.retry!r}. {unknown}, so the sidecar must not repeat it. Remove it."
    if holds.timeout:
        yield f"has the timeout {holds.timeout!r}. {unknown}, so it must not be cut short. Remove it."


def _targets(resource: Resource) -> Mapping[str, Mapping[str, Any]]:
    components = (resource.spec.get("targets") or {}).get("components") or {}
    return {str(name): target or {} for name, target in components.items()}


def _named(read: Sequence[Resource], kind: str) -> dict[str, Mapping[str, Any]]:
    named: dict[str, Mapping[str, Any]] = {}
    for resource in read:
        named.update((resource.spec.get("policies") or {}).get(kind) or {})
    return named


def _first(read: Sequence[Resource], kind: str, names: Sequence[str]) -> str:
    known = _named(read, kind)
    return next((name for name in names if name in known), "")
