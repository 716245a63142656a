"""Contracts that two services read differently, and contracts that break an earlier promise."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.analysis.breaking import broken
from choreography.analysis.compatibility import unmet
from choreography.analysis.lock import FILE, is_outdated
from choreography.analysis.promises import EVENTS, PromisePlace
from choreography.check.finding import CheckedFlow, Found
from choreography.check.releases import spoken, told_of


def misread(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each contract whose consumer needs something that its publisher does not promise."""
    for publisher, event in flow.wiring.published:
        for consumer, read_as in flow.wiring.consumers(event.wire_type):
            if read_as is event:
                continue
            problems = unmet(event.model_json_schema(), read_as.model_json_schema())
            if read_as.owned_by not in ("", publisher.name):
                problems.insert(0, f"it is expected from {read_as.owned_by!r} and published by {publisher.name!r}")
            if problems:
                yield Found(
                    f"{consumer.name}:{event.wire_type}",
                    f"{consumer.name} cannot read every {event.__name__} that {publisher.name} publishes: "
                    f"{'; '.join(problems)}.",
                    f"Widen {read_as.__name__} in {consumer.name} to what is promised, or agree with {publisher.name} "
                    "on a new version that promises more.",
                    read_as,
                )


def breaking(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each contract that breaks a promise of the committed lock, or that is missing now."""
    now = flow.promises
    for place, old in (flow.lock or {}).items():
        if place.section != EVENTS:
            continue
        wire_type = place.name
        published = flow.wiring.publisher(wire_type)
        if published is None:
            yield Found(
                wire_type,
                f"{wire_type} is promised in {FILE}, and no service publishes it any more.",
                "Publish it for as long as somebody waits for it or one may be published again (the horizon, 30 days); "
                f"then delete its entry from {FILE}.",
            )
        elif problems := broken(place, old, now[place]):
            service, event = published
            family, _, version = wire_type.rpartition(".v")
            yield Found(
                wire_type,
                f"{service.name} has changed {event.__name__} ({wire_type}) in a way that breaks {FILE}: "
                f"{'; '.join(problems)}.",
                f"Leave {wire_type} as it was and publish the new shape beside it, as {family}.v{int(version) + 1}. If "
                f"no event of it was ever published anywhere, delete its entry from {FILE} and render again.",
                event,
            )


def unlocked(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each promise that the committed lock lacks; or one finding about the lock if there is none."""
    if flow.folder is None:
        return
    if flow.lock is None or is_outdated(flow.lock):
        what = f"There is no {FILE} beside the services" if flow.lock is None else f"{FILE} holds events only"
        yield Found(
            FILE,
            f"{what}, so a breaking change would pass unnoticed.",
            "Run `choreography render` on the flow and commit the file.",
            flow.folder / "__init__.py",
        )
        return
    for service, event in flow.wiring.published:
        if PromisePlace(EVENTS, "", event.wire_type) not in flow.lock:
            yield Found(
                event.wire_type,
                f"{service.name} publishes {event.__name__}, which {FILE} does not know yet.",
                "Run `choreography render` on the flow and commit the file together with the contract.",
                event,
            )
    for place in sorted(flow.promises.keys() - flow.lock.keys()):
        if place.section != EVENTS:
            yield Found(
                told_of(place),
                f"{FILE} does not know the {spoken(place)} yet.",
                "Run `choreography render` on the flow and commit the file together with the service.",
                next(service for service in flow.services if service.name == (place.service or place.name)),
            )
