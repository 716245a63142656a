"""The metrics of every replica: whether its intake is closed, its work in hand, and its counters."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from choreography.drain.sight import DrainError

USUAL: Final = "http://{app}-dapr:8000"
"""Where replicas are in a cluster: the headless service that Dapr makes for an app names the pods of all of them."""

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)
_COUNTED: Final = ("deliveries", "published", "commands")


@dataclass(frozen=True, slots=True)
class Replica:
    """The report of one replica.

    Attributes:
        service: its service.
        url: the URL that was asked.
        intake_open: whether it accepts commands and lets deadlines fire.
        in_hand: the number of deliveries that it settles and intents that it carries out.
        mark: its start time, and its counters of deliveries and publications. Equal marks mean that it did nothing.
    """

    service: str
    url: str
    intake_open: bool
    in_hand: int
    mark: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Census:
    """The reports of all replicas, and the apps that did not answer."""

    replicas: tuple[Replica, ...]
    silent: tuple[str, ...] = ()

    @property
    def marks(self) -> Mapping[str, tuple[float, ...]]:
        """The mark of each replica."""
        return {one.url: one.mark for one in self.replicas}


async def census(places: Sequence[str], apps: Iterable[str]) -> Census:
    """Ask every replica of every app.

    Args:
        places: base URLs; ``{app}`` in a URL stands for each of the apps. If a name has several addresses, each is
            asked.
        apps: the apps that must have answered.
    """
    names = sorted(set(apps))
    wanted = [place.replace("{app}", app) for place in places for app in (names if "{app}" in place else [""])]
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        found = await asyncio.gather(*(_at(session, place) for place in dict.fromkeys(wanted)))
    replicas = tuple(one for some in found for one in some if isinstance(one, Replica))
    silent = [one for some in found for one in some if isinstance(one, str)]
    missing = sorted(set(names) - {one.service for one in replicas})
    return Census(replicas, (*silent, *(f"no replica of {app} has answered" for app in missing)))


async def _at(session: aiohttp.ClientSession, place: str) -> list[Replica | str]:
    try:
        urls = await _addresses(place)
    except OSError as error:
        return [f"nobody knows where {place} is ({error})"]
    return list(await asyncio.gather(*(_ask(session, url) for url in urls)))


async def _addresses(place: str) -> list[str]:
    url = urlsplit(place)
    if url.scheme != "http" or not url.hostname:
        raise DrainError(
            f"{place!r} does not say where replicas are, and what they have in hand must be known. "
            f"Write a URL, such as http://127.0.0.1:8001 or {USUAL}."
        )
    port = url.port or 80
    found = await asyncio.get_running_loop().getaddrinfo(url.hostname, port, type=socket.SOCK_STREAM)
    hosts = sorted({str(address[0]) for *_, address in found})
    return [f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}" for host in hosts]


async def _ask(session: aiohttp.ClientSession, url: str) -> Replica | str:
    try:
        async with session.get(f"{url}/metrics") as answer:
            text = await answer.text()
        return read(url, text)
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        return f"{url} does not answer ({type(error).__name__})"
    except (KeyError, ValueError):
        return f"{url} answers, but not as a service of this release"


def read(url: str, text: str) -> Replica:
    """Read the metrics of a replica.

    Raises:
        KeyError, ValueError: the page holds no metrics of this library.
    """
    samples = {one.name: one for family in text_string_to_metric_families(text) for one in family.samples}
    in_hand = samples["choreography_in_hand"]
    return Replica(
        in_hand.labels["service"],
        url,
        bool(samples["choreography_intake_open"].value),
        int(in_hand.value),
        (
            # The creation time of a counter is the start of the process: a restart counts from zero again.
            samples["choreography_deliveries_created"].value,
            *(samples[f"choreography_{name}_total"].value for name in _COUNTED),
        ),
    )
