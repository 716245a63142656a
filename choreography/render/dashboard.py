"""A Grafana dashboard over the metrics that every service counts."""

from __future__ import annotations

import json
from typing import Any, Final

_BY_SERVICE: Final = "sum by (service) (rate(choreography_{}_total[$__rate_interval]))"
_SHARE: Final = "histogram_quantile({}, sum by (service, le) (rate(choreography_{}_bucket[$__rate_interval])))"

_PANELS: Final = (
    ("Quarantined: flows that stand still", "sum by (service) (increase(choreography_quarantined_total[1h]))", "short"),
    ("Commands accepted per second", _BY_SERVICE.format("commands"), "reqps"),
    ("Deliveries per second", _BY_SERVICE.format("deliveries"), "ops"),
    ("Events published per second", _BY_SERVICE.format("published"), "ops"),
    ("From read to commit of a batch, the slowest in a hundred", _SHARE.format(0.99, "settling_seconds"), "s"),
    ("From read to commit of a batch, half of them", _SHARE.format(0.5, "settling_seconds"), "s"),
    ("Deliveries per commit, half of them", _SHARE.format(0.5, "batch_size"), "short"),
    ("Answered RETRY per second", _BY_SERVICE.format("retries"), "ops"),
    ("Found settled already per second", _BY_SERVICE.format("repeats"), "ops"),
    (
        "Ignored by type per hour",
        "sum by (service) (increase(choreography_ignored_total[1h]))",
        "short",
    ),
    (
        "Clocks: how far others are ahead",
        "max by (service) (choreography_clock_skew_seconds)",
        "s",
    ),
    ("Commits tried again per second", _BY_SERVICE.format("commit_retries"), "ops"),
    ("Calls to the outside without an answer per second", _BY_SERVICE.format("unanswered"), "ops"),
)
_WIDE, _HIGH = 12, 8


def dashboard(title: str, flow: str) -> str:
    """Return the dashboard of a flow."""
    document: dict[str, Any] = {
        "rendered": f"By `choreography render {flow}`.",
        "title": f"Choreography: {title}",
        "uid": f"choreography-{title}"[:40],
        "tags": ["choreography"],
        "schemaVersion": 39,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "30s",
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [_panel(place, *panel) for place, panel in enumerate(_PANELS)],
    }
    return json.dumps(document, indent=2) + "\n"


def _panel(place: int, title: str, expression: str, unit: str) -> dict[str, Any]:
    return {
        "id": place + 1,
        "type": "timeseries",
        "title": title,
        "datasource": {"type": "prometheus", "uid": "${source}"},
        "gridPos": {"x": _WIDE * (place % 2), "y": _HIGH * (place // 2), "w": _WIDE, "h": _HIGH},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [{"refId": "A", "expr": expression, "legendFormat": "{{service}}"}],
    }
