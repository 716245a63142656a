"""The deliveries that each process has counted, as its metrics page shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

ENDS = ("settled", "repeats", "quarantined", "too_old", "ignored", "retries")
"""Every way in which a delivery may end."""


@dataclass(frozen=True)
class Account:
    """The counters of one process at one moment.

    Attributes:
        taken: the deliveries that it got since its start.
        ended: how many of them ended, in any way.
        in_hand: its work in hand, deliveries included.
        ignored: the number of ignored events, by type.
    """

    process: str
    taken: int
    ended: int
    in_hand: int
    ignored: Mapping[str, int]

    @property
    def is_lawful(self) -> bool:
        """Whether each delivery has ended in exactly one way, or is in hand."""
        return 0 <= self.taken - self.ended <= self.in_hand

    @classmethod
    def read(cls, process: str, page: str) -> Self:
        """Read a metrics page."""
        counted, ignored = Counter[str](), Counter[str]()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                counted[sample.name] += int(sample.value)
                if sample.name == "choreography_ignored_total":
                    ignored[sample.labels["type"]] += int(sample.value)
        ended = sum(counted[f"choreography_{end}_total"] for end in ENDS)
        return cls(process, counted["choreography_deliveries_total"], ended, counted["choreography_in_hand"], ignored)


async def account_of(session: aiohttp.ClientSession, process: str, address: str) -> Account:
    """Ask a process for its counters."""
    async with session.get(f"{address}/metrics") as answer:
        answer.raise_for_status()
        return Account.read(process, await answer.text())


@dataclass(frozen=True)
class Attack:
    """The state of all processes before and after hostile events came by every route.

    Attributes:
        before: process ids, by name.
        after: the same, after all events had been delivered.
        ignored: for each service, the number of ignored events of the foreign type: before, after, and the required
            minimum.
        untaken: the events that a service had not taken in time.
    """

    before: Mapping[str, int | None]
    after: Mapping[str, int | None]
    ignored: Mapping[str, tuple[int, int, int]]
    untaken: tuple[str, ...] = ()
