"""When to call a person, and what the person should do: Prometheus rules over the metrics of every service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from choreography.analysis.wiring import Wiring
from choreography.render.source import Files, RenderSource, as_yaml
from choreography.service import Service

_P: Final = "choreography_"


FILE: Final = "alerts.yaml"
"""A rule file of Prometheus; for its operator the chart places the same rules."""


def alert_files(source: RenderSource) -> Files:
    """Render the alert rules of a flow."""
    return {FILE: as_yaml(alert_rules(source.title, source.services))}


def alert_rules(flow: str, services: Sequence[Service]) -> dict[str, Any]:
    """Return the rules of a flow. Each says what to do, and names the services, so that a missing one is noticed."""
    names = "|".join(service.name for service in services)
    mine = f'{{service=~"{names}"}}'
    return {
        "groups": [
            {"name": f"{flow}.events", "rules": list(_events(mine))},
            {"name": f"{flow}.services", "rules": list(_services(Wiring(services)))},
        ]
    }


def _events(mine: str) -> Iterator[dict[str, Any]]:
    def rate(counter: str, over: str = "5m") -> str:
        return f"sum by (service) (rate({_P}{counter}_total{mine}[{over}]))"

    yield _alert(
        "ChoreographyQuarantined",
        f"sum by (service) (increase({_P}quarantined_total{mine}[15m])) > 0",
        "0m",
        "critical",
        "{{ $labels.service }} has quarantined an event, so at least one flow stands still.",
        "Read why in the service's dead-letters topic: a contract that is broken, a reaction that failed, an event "
        "that is too large, a clock that is wrong, or somebody who says what is not theirs to say. Mend the cause, "
        "deploy, then ask for a replay by the name in the letter. Nothing is lost meanwhile.",
    )
    yield _alert(
        "ChoreographyIntentQuarantined",
        f"sum by (service) (increase({_P}quarantined_inside_total{mine}[15m])) > 0",
        "0m",
        "critical",
        "{{ $labels.service }} has quarantined an intent, or the answer of an outside to one.",
        "Read why in its dead-letters topic. Ask the outside, by the idempotency key in the letter, whether it was "
        "done; do it or undo it by hand. An answer on which a reaction failed is replayed once the reaction is mended.",
    )
    yield _alert(
        "ChoreographyIgnoring",
        f"sum by (service, type) (increase({_P}ignored_total{mine}[1h])) > 0",
        "1h",
        "warning",
        "{{ $labels.service }} goes on being given events of the type {{ $labels.type }}, which it does not hear.",
        "Nothing is wrong with the service. Somebody publishes another type on a topic that it reads: an SDK's default "
        "(com.dapr.event.sent), or a misspelt type. Find the publisher; docs/foreign-publishers.md says what to send.",
    )
    yield _alert(
        "ChoreographyTooOld",
        f"sum by (service) (increase({_P}too_old_total{mine}[1h])) > 0",
        "0m",
        "warning",
        "{{ $labels.service }} has acknowledged events that are too old to be run, and its log says how many.",
        "Expected when a service first subscribes to a topic that keeps its events for longer than the horizon. Else "
        "something has waited on the broker for weeks: the letter about the first of them says what.",
    )
    yield _alert(
        "ChoreographyUnaccounted",
        f"sum by (service) ({_P}deliveries_total{mine}) - {_ended(mine)} > sum by (service) ({_P}in_hand{mine})",
        "15m",
        "critical",
        "{{ $labels.service }} has taken deliveries of which nobody knows what became.",
        "This is a mistake in the library: deliveries in must equal settled, repeated, quarantined, too old, ignored "
        "and retried. Keep the log and the metrics of the service, and report them. Restart it; the broker brings what "
        "is open.",
    )
    yield _alert(
        "ChoreographyClockSkew",
        f"max by (service, against) (abs({_P}clock_skew_seconds{mine})) > 60",
        "5m",
        "warning",
        "The clock of {{ $labels.service }} and that of the {{ $labels.against }} differ by more than a minute.",
        "Correct the clock (NTP) of whichever node is wrong; the log of the service names the publisher. Events run "
        "all the same up to a day ahead, but deadlines come early or late, and beyond a day events are quarantined.",
    )
    yield _alert(
        "ChoreographyOutsideSilent",
        f"sum by (service, outside) (increase({_P}unanswered_total{mine}[5m])) > 0",
        "5m",
        "critical",
        "{{ $labels.outside }} gives {{ $labels.service }} no answer, so what depends on it waits.",
        "Ask whoever runs {{ $labels.outside }}; look whether its address (OUTSIDE_...) is right and can be reached. "
        "Calls are repeated with their keys until they are answered: nothing is lost and nothing is done twice.",
    )
    yield _alert(
        "ChoreographyRetrying",
        f"{rate('retries')} > 0.05 * {rate('deliveries')}",
        "5m",
        "critical",
        "{{ $labels.service }} answers RETRY to more than one delivery in twenty.",
        "RETRY means trouble with the store, the sidecar, the broker or an outside system (ChoreographyOutsideSilent "
        "says which), never a bad event. Look at "
        "the log of the service for the first failed operation. Deliveries come again by themselves.",
    )
    yield _alert(
        "ChoreographyRetryingForEver",
        f"{rate('retries', '30m')} > 0 and {rate('settled', '30m')} == 0",
        "30m",
        "critical",
        "{{ $labels.service }} has answered RETRY for half an hour and settled nothing.",
        "It cannot reach its store or its broker, or every delivery it is given waits for the same thing. Its log says "
        "what failed first. Deliveries come again by themselves when that is mended.",
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
        "ChoreographyCommandsAgain",
        f"sum by (service) (increase({_P}commands_again_total{mine}[30m])) > 0",
        "0m",
        "warning",
        "{{ $labels.service }} has published accepted commands again, as their events had no outcome in time.",
        "Either the broker has lost what it had acknowledged (look whether it was restarted, trimmed or failed over, "
        "and at what it writes to disk), or the service is so far behind that its own events wait (look at its lag). "
        "No command is lost and none is run twice.",
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
        "ChoreographyUncleaned",
        f"max by (service) ({_P}expired_seconds{mine}) > 3600",
        "15m",
        "warning",
        "{{ $labels.service }} has records that are past their time by more than an hour, and nobody deletes them.",
        "No event is at risk, but its tables grow, and reads become slower. The log of the service says why a "
        "statement failed: a right that its role lacks (run `choreography migrate` again), a lock, or a time limit. If "
        "none did, look for transactions that are open for long (pg_stat_activity, by xact_start) and at the disk.",
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


def _ended(mine: str) -> str:
    """Return the sum of the counters for all ends of a delivery."""
    ends, selector = "settled|repeats|quarantined|too_old|ignored|retries", mine.removeprefix("{")
    return f'sum by (service) ({{__name__=~"{_P}({ends})_total",{selector})'


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
