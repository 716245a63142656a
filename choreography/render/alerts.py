"""When to call somebody, and what they should do: Prometheus rules over the metrics every service counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from choreography.insight.wiring import Wiring
from choreography.render.source import Files, Source, documents
from choreography.service import Service

_P: Final = "choreography_"


def alert_files(source: Source) -> Files:
    """Render the alert rules of a flow."""
    told = "For the Prometheus operator. Every alert says what to do; services are named, so that none can be missing."
    return {"k8s/alerts.yaml": documents([(told, alert_rules(source.title, source.services))])}


def alert_rules(flow: str, services: Sequence[Service]) -> dict[str, Any]:
    """Return the rules of a flow."""
    names = "|".join(service.name for service in services)
    mine = f'{{service=~"{names}"}}'
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": f"{flow}-choreography", "labels": {"app.kubernetes.io/part-of": flow}},
        "spec": {
            "groups": [
                {"name": f"{flow}.events", "rules": list(_events(mine))},
                {"name": f"{flow}.services", "rules": list(_services(Wiring(services)))},
            ]
        },
    }


def _events(mine: str) -> Iterator[dict[str, Any]]:
    def rate(counter: str, over: str = "5m") -> str:
        return f"sum by (service) (rate({_P}{counter}_total{mine}[{over}]))"

    yield _alert(
        "ChoreographyQuarantined",
        f"sum by (service) (increase({_P}quarantined_total{mine}[15m])) > 0",
        "0m",
        "critical",
        "{{ $labels.service }} has set an event aside, so at least one flow stands still.",
        "Read why: `choreography dead-letters`, or the service's dead-letters topic. Mend the cause (a contract, a "
        "reaction), deploy, then `choreography replay` it. Nothing is lost meanwhile.",
    )
    yield _alert(
        "ChoreographyRetrying",
        f"{rate('retries')} > 0.05 * {rate('deliveries')}",
        "5m",
        "critical",
        "{{ $labels.service }} answers RETRY to more than one delivery in twenty.",
        "RETRY means trouble with the store, the sidecar, the broker or an outside system, never a bad event. Look at "
        "the log of the service for the first failed operation. Deliveries come again by themselves.",
    )
    yield _alert(
        "ChoreographyContended",
        f"{rate('commit_retries')} > 0.5 * {rate('deliveries')}",
        "10m",
        "warning",
        "{{ $labels.service }} repeats a commit for every second delivery.",
        "Several replicas change the same entity. Run fewer replicas, or split the entity that everything meets in.",
    )
    yield _alert(
        "ChoreographyRepeating",
        f"{rate('repeats')} > 0.5 * {rate('deliveries')}",
        "10m",
        "warning",
        "More than half of what {{ $labels.service }} is given, it has settled before.",
        "Harmless but wasteful: the broker takes slow replicas for dead ones. Look for replicas that restart, and at "
        "how soon the broker gives up on a delivery (processingTimeout, ackWait, visibility time-out).",
    )
    yield _alert(
        "ChoreographySlow",
        f"histogram_quantile(0.99, sum by (service, le) (rate({_P}settling_seconds_bucket{mine}[5m]))) > 1",
        "10m",
        "warning",
        "One batch in a hundred takes {{ $labels.service }} more than a second from read to commit.",
        "The store is slow or locked. Look at its locks and its disk; on PostgreSQL also at enable_seqscan and "
        "enable_bitmapscan.",
    )
    yield _alert(
        "ChoreographyClosed",
        f"max by (service) ({_P}intake_open{mine}) == 0",
        "1h",
        "warning",
        "{{ $labels.service }} has taken no commands and fired no deadlines for an hour.",
        "Its intake was closed (CHOREOGRAPHY_INTAKE) to exchange the broker or to stop the flow. When that is done, "
        "open it; docs/swap-the-broker.md has the steps. Deadlines that came due meanwhile fire then.",
    )


def _services(wiring: Wiring) -> Iterator[dict[str, Any]]:
    for service in wiring.services:
        one = f'{{service="{service.name}"}}'
        yield _alert(
            "ChoreographyAbsent",
            f"absent({_P}deliveries_total{one})",
            "5m",
            "critical",
            f"Nobody reports as {service.name}.",
            "Look whether its pods run and are ready; the start-up self-check says in its log what it waits for or "
            "refuses. What others publish meanwhile waits on the broker.",
        ) | {"labels": {"severity": "critical", "service": service.name}}
        if service.commands:
            yield _alert(
                "ChoreographyDeaf",
                f"sum(increase({_P}commands_total{one}[5m])) > 0 and sum(increase({_P}deliveries_total{one}[5m])) == 0",
                "5m",
                "critical",
                f"{service.name} accepts commands and hears nothing, not even its own events.",
                "Its subscription is gone or its sidecar is stuck. Look at the sidecar's log and at the consumer group "
                "on the broker, then restart one pod. Accepted commands wait on the broker.",
            ) | {"labels": {"severity": "critical", "service": service.name}}


def _alert(name: str, expression: str, lasting: str, severity: str, *told: str) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity},
        "annotations": dict(zip(("summary", "runbook"), told, strict=True)),
    }
