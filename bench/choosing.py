"""The table for the choice of a broker: the measured figures, and the facts that no measurement shows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from choreography.render.marked_block import put_between

BEGIN: Final = "<!-- figures of each broker: begin -->"
END: Final = "<!-- figures of each broker: end -->"

WHEN: Final = {
    "redis": "one node's memory is enough and nothing else is there yet; only with `appendfsync always`",
    "kafka": "events are kept for long, there are many readers, and order per entity is worth having",
    "rabbitmq": "it is there already, and queues should be looked at and moved by hand; what it refuses needs a nudge",
    "nats": "it is there already, and no process beside each sidecar is wanted; one message at a time from each topic",
    "nats-pull": "it is there already; our own [component](../components/nats_pull) pulls, and hands over batches",
    "aws": "there is nothing to run, and half a second more does not matter; batches are of ten",
    "eventbridge": "others in the company route by EventBridge; our own [component](../components/eventbridge), "
    "one message at a time",
}
"""What a broker is good for, by the name of its file in components/brokers, in the order of the table."""


_EMULATED: Final = "not measured: an emulator's figures would say nothing about it"

UNMEASURED: Final = {
    "nats-pull": "measured with nats and redis only: 5.9 times the orders of nats, p99 1.7 times that of redis "
    "([record](decisions/0032-messages-in-packs.md))",
}
"""What is said in place of the figures of a broker that the machine of the others has not measured yet."""


def table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the table."""
    head = ["broker", "orders/s", "CPU µs per order, the broker's share", "p50 / p99 ms at 20/s", "take it when"]
    rows = [head, ["---"] * len(head)]
    rows += [[name, *_figures(name, results.get(name)), when] for name, when in WHEN.items()]
    first = next(iter(results.values()))
    days = sorted({str(one["day"]) for one in results.values()})
    told = (
        f"Medians of {first['rounds']} rounds on {first['cpus']} processors ({' to '.join(days)}), each "
        "broker alone with five services, five sidecars, PostgreSQL and the customers on the one machine; from sent to "
        "written down as completed. Good for comparing with each other; [the bench](bench.md) says more of the first."
    )
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + f"\n\n{told}"


def write_into(folder: Path, results: Mapping[str, Any]) -> None:
    """Replace older figures by the new ones, and put the table into the docs."""
    file = folder / "brokers.json"
    known: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
    known |= results
    file.write_text(json.dumps(known, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    put_between(folder / "conformance.md", BEGIN, END, table(known))


def _figures(name: str, one: Mapping[str, Any] | None) -> list[str]:
    if one is None:
        return [UNMEASURED.get(name, _EMULATED), "", ""]
    return [
        f"**{one['per_second']:.0f}** ({one['slowest']:.0f}-{one['fastest']:.0f})",
        f"{one['cpu']:.0f}, {one['broker_cpu']:.0f}",
        f"{one['p50']:.0f} / {one['p99']:.0f}",
    ]
