"""Versions of one event across services, read in both directions, and the order in which to deploy a new one."""

from __future__ import annotations

from collections.abc import Iterator

from choreography.analysis.wiring import Wiring, consumed_by
from choreography.check.finding import CheckedFlow, Found
from choreography.contracts import Event
from choreography.service import Service


def missed_versions(flow: CheckedFlow) -> Iterator[Found]:
    """Yield each published version that a service lacks although it consumes another version of the same event."""
    for publisher, event in flow.wiring.published:
        for consumer in flow.services:
            heard = _heard(consumer, event)
            if heard and event.wire_type not in heard:
                yield Found(
                    f"{consumer.name}:{event.wire_type}",
                    f"{consumer.name} hears {' and '.join(heard)} and not {event.wire_type} ({event.__name__}), which "
                    f"{publisher.name} publishes, so {consumer.name} would quarantine each of them.",
                    f"Let {consumer.name} react to {event.__name__} as well, and deploy it before {publisher.name} "
                    f"says it; or let {publisher.name} say {' or '.join(heard)} only.",
                    event,
                )


def deploy_order(wiring: Wiring) -> tuple[str, ...]:
    """Return, in sentences, which service to deploy first if several versions of an event are published or consumed."""
    return tuple(dict.fromkeys(_orders(wiring)))


def _orders(wiring: Wiring) -> Iterator[str]:
    for publisher, event in wiring.published:
        versions = {one for service in wiring.services for one in _heard(service, event)} | {event.wire_type}
        newest = max(versions, key=_version)
        if len(versions) < 2 or event.wire_type != newest:
            continue
        hearing = sorted({service.name for service, _ in wiring.consumers(newest) if service.name != publisher.name})
        if hearing:
            yield (
                f"Deploy {' and '.join(hearing)}, which {'hears' if len(hearing) == 1 else 'hear'} {newest}, "
                f"before {publisher.name}, which says it; when it is taken back, the other way round."
            )


def _heard(service: Service, event: type[Event]) -> list[str]:
    """Return the versions of an event that a service consumes."""
    family = event.wire_type.rpartition(".v")[0]
    return sorted(one.wire_type for one in consumed_by(service) if one.wire_type.rpartition(".v")[0] == family)


def _version(wire_type: str) -> int:
    return int(wire_type.rpartition(".v")[2])
