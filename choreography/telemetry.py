"""Metrics and logs. Every log line names its flow."""

from __future__ import annotations

import logging
import sys
from collections import Counter as Counts
from collections.abc import Sequence
from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate

_MOST_TYPES: Final = 50
"""How many types are counted by name: a publisher that invents types must not create time series without end."""
_LONGEST_TYPE: Final = 128
_BUCKETS: Final = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

log = structlog.get_logger()


class Metrics:
    """The metrics of one service. All are low in cardinality: no ids, no subjects."""

    def __init__(self, service: str) -> None:
        self.registry = CollectorRegistry()
        self._service = service
        self.delivered = self._counter("deliveries", "Deliveries taken.")
        self.published = self._counter("published", "Events handed to the broker.")
        self._fates = {
            Fate.SETTLED: self._counter("settled", "Deliveries whose reactions ran."),
            Fate.REPEATED: self._counter("repeats", "Deliveries found already settled."),
            Fate.QUARANTINED: self._counter("quarantined", "Deliveries quarantined with a record and a dead letter."),
            Fate.TOO_OLD: self._counter("too_old", "Deliveries too old to be run, beyond the one that got a letter."),
            Fate.AGAIN: self._counter("retries", "Deliveries answered RETRY."),
        }
        self._ignored = Counter(
            "choreography_ignored",
            "Deliveries of a type that is no business of this service.",
            ["service", "type"],
            registry=self.registry,
        )
        self._ignored_types: set[str] = set()
        self._ignored.labels(service, "other")
        self._skew = Gauge(
            "choreography_clock_skew_seconds",
            "How far the clock of the store, or of the publisher farthest ahead, is ahead of this service's.",
            ["service", "against"],
            registry=self.registry,
        )
        self.clock_skew("publishers", 0)
        self.quarantined_inside = self._counter("quarantined_inside", "Intents and answers quarantined.")
        self.attempts = self._counter("commit_retries", "Commits tried again.")
        self._unanswered = Counter(
            "choreography_unanswered",
            "Calls to the outside that got no answer.",
            ["service", "outside"],
            registry=self.registry,
        )
        self.commands = self._counter("commands", "Commands accepted.")
        self.commands_again = self._counter("commands_again", "Accepted commands whose event was published again.")
        self.in_hand = self._gauge(
            "in_hand", "Deliveries being settled, intents being carried out, commands without outcome."
        )
        self.expired = self._gauge("expired_seconds", "For how long the oldest record is past its time, uncleaned.")
        self.intake = self._gauge("intake_open", "Whether commands are taken and deadlines fire.")
        self.batch = self._histogram("batch_size", "Deliveries per commit.", (1, 2, 5, 10, 20, 50, 100, 200, 400))
        self.settling = self._histogram("settling_seconds", "From read to commit of one batch.", _BUCKETS)

    def unanswered_by(self, outside: str) -> Counter:
        """Return the counter of the calls that one outside did not answer."""
        return self._unanswered.labels(self._service, outside)

    def ended(self, fates: Sequence[Fate], deliveries: Sequence[Delivery]) -> None:
        """Count ended deliveries: each by its fate, and an ignored delivery by its type."""
        for fate, count in Counts(fates).items():
            if fate is not Fate.IGNORED:
                self._fates[fate].inc(count)
            else:
                for delivery, one in zip(deliveries, fates, strict=True):
                    if one is Fate.IGNORED:
                        self.ignored(delivery.type)

    def clock_skew(self, against: str, seconds: float) -> None:
        """Show how far another clock is ahead of this one."""
        self._skew.labels(self._service, against).set(seconds)

    def ignored(self, wire_type: object) -> None:
        """Count a delivery of a type that no service here declares, and log the first of each type."""
        name = wire_type if isinstance(wire_type, str) and wire_type.isprintable() else "unreadable"
        name = name[:_LONGEST_TYPE]
        if name not in self._ignored_types:
            if len(self._ignored_types) == _MOST_TYPES:
                name = "other"
            else:
                self._ignored_types.add(name)
                log.warning("a type that this service does not hear is ignored", type=name)
        self._ignored.labels(self._service, name).inc()

    def _counter(self, name: str, told: str) -> Counter:
        return Counter(f"choreography_{name}", told, ["service"], registry=self.registry).labels(self._service)

    def _gauge(self, name: str, told: str) -> Gauge:
        return Gauge(f"choreography_{name}", told, ["service"], registry=self.registry).labels(self._service)

    def _histogram(self, name: str, told: str, buckets: Sequence[float]) -> Histogram:
        made = Histogram(f"choreography_{name}", told, ["service"], registry=self.registry, buckets=buckets)
        return made.labels(self._service)


def named(delivery: Delivery) -> dict[str, str]:
    """Return the fields of a log line about a delivery: its event, its flow and its trace."""
    flow_id = delivery.envelope.flow_id if delivery.envelope else ""
    return {"event_id": delivery.identity, "flow_id": flow_id, "trace_id": delivery.traceparent[3:35]}


def set_up_logging(service: str, level: str) -> None:
    """Log JSON lines to standard output: our own from ``level`` up, those of other libraries from warning up."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _naming(service),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def _naming(service: str) -> structlog.typing.Processor:
    def name(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        event["service"] = service
        return event

    return name
