"""Alerts fire for each kind of trouble, and say what to do."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from choreography.engine.fate import Fate
from choreography.flow import services_of
from choreography.render.alerts import alert_rules
from choreography.telemetry import Metrics

SERVICES = services_of("apps.checkout")


def rules() -> list[dict[str, Any]]:
    """Return every alert."""
    return [rule for group in alert_rules("checkout", SERVICES)["groups"] for rule in group["rules"]]


def test_every_metric_an_alert_looks_at_is_counted() -> None:
    """An alert on a misspelt metric never fires."""
    metrics = Metrics("order")
    metrics.unanswered_by("an outside")
    counted = {sample.name for metric in metrics.registry.collect() for sample in metric.samples}
    looked_at = {name for rule in rules() for name in re.findall(r"choreography_\w+", rule["expr"])}
    assert looked_at <= counted
    assert {"choreography_quarantined_total", "choreography_retries_total"} <= looked_at


def test_deliveries_that_end_in_no_way_that_is_counted_call_somebody() -> None:
    """The equation of decision 0018 holds every way in which a delivery may end."""
    [rule] = [rule for rule in rules() if rule["alert"] == "ChoreographyUnaccounted"]
    [ends] = re.findall(r"choreography_\(([\w|]+)\)_total", rule["expr"])
    counted = {sample.name for metric in Metrics("order").registry.collect() for sample in metric.samples}
    assert {f"choreography_{end}_total" for end in ends.split("|")} <= counted
    assert len(ends.split("|")) == len(Fate)


def test_every_count_of_trouble_is_looked_at_by_an_alert() -> None:
    """Each counter of an undesired event has an alert."""
    metrics = Metrics("order")
    metrics.unanswered_by("an outside")
    counted = {sample.name for metric in metrics.registry.collect() for sample in metric.samples}
    ordinary = {f"choreography_{name}_total" for name in ("deliveries", "settled", "commands", "published")}
    looked_at = {name for rule in rules() for name in re.findall(r"choreography_\w+", rule["expr"])}
    assert {name for name in counted if name.endswith("_total")} - ordinary <= looked_at


def test_every_alert_is_in_the_table_of_who_is_called() -> None:
    """The person who is called looks it up there."""
    table = (Path(__file__).parents[3] / "docs/production.md").read_text()
    assert [rule["alert"] for rule in rules() if rule["alert"] not in table] == []


def test_every_alert_says_what_happened_and_what_to_do() -> None:
    """A person who is woken up reads only the alert."""
    for rule in rules():
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["runbook"]) > 80


def test_no_service_can_fall_silent_unnoticed() -> None:
    """This covers a service without metrics, and one that accepts commands but consumes nothing."""
    named = [(rule["alert"], rule["labels"].get("service")) for rule in rules()]
    for service in SERVICES:
        assert ("ChoreographyAbsent", service.name) in named
        assert (("ChoreographyDeaf", service.name) in named) is bool(service.commands)


def test_parentheses_and_quotes_of_every_expression_match() -> None:
    """Prometheus would refuse the whole file."""
    for rule in rules():
        for opening, closing in ("()", "{}", "[]"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing)
        assert rule["expr"].count('"') % 2 == 0
