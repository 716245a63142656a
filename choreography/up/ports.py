"""Picks free ports for every process, so that a flow starts even if another Dapr holds the default ports."""

from __future__ import annotations

import json
import secrets
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from choreography.up.errors import UpError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOWEST = 20_000
_DEFAULT_EPHEMERAL = 32_768


class Ports:
    """The ports of one run folder: remembered, so that addresses stay the same at the next start."""

    def __init__(self, memory: Path) -> None:
        self._memory = memory
        self._known: dict[str, int] = json.loads(memory.read_text()) if memory.exists() else {}
        self._mine: dict[str, int] = {}
        self._claims: list[socket.socket] = []

    def of(self, name: str) -> int:
        """The port called `name`: the remembered port while it is free, else a new one."""
        if name not in self._mine:
            self._mine[name] = next(port for port in self._candidates(name) if self._claim(port))
            self._known[name] = self._mine[name]
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            self._memory.write_text(json.dumps(self._known, indent=2))
        return self._mine[name]

    def release(self) -> None:
        """Release the ports for other runs."""
        for claim in self._claims:
            claim.close()
        self._claims.clear()
        self._mine.clear()

    def _candidates(self, name: str) -> Iterator[int]:
        if name in self._known:
            yield self._known[name]
        # Not in the ephemeral range: an outgoing connection may take such a port while its server restarts.
        room = _lowest_ephemeral() - _LOWEST
        for _ in range(1000):
            yield _LOWEST + secrets.randbelow(room)
        raise UpError(
            f"No free port for {name} was found between {_LOWEST} and {_lowest_ephemeral()}. Every process "
            "of a flow needs its own. Stop what listens there (`ss -ltn` shows it) and start again."
        )

    def _claim(self, port: int) -> bool:
        claim = _claim_among_runs(port)
        if claim is None:
            return False
        if not _nobody_listens(port):
            claim.close()
            return False
        self._claims.append(claim)
        return True


def _lowest_ephemeral() -> int:
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError):
        return _DEFAULT_EPHEMERAL


def _claim_among_runs(port: int) -> socket.socket | None:
    """Reserve a port number before its server listens, because two runs may look for ports at the same moment."""
    if sys.platform != "linux":
        return socket.socket(socket.AF_UNIX)
    claim = socket.socket(socket.AF_UNIX)
    try:
        # An abstract name has no file: the kernel removes it with its process, even after kill -9.
        claim.bind(f"\0choreography-port-{port}")
    except OSError:
        claim.close()
        return None
    return claim


def _nobody_listens(port: int) -> bool:
    with socket.socket() as probe:
        # Without this a port would look taken for a minute after its last connection closed.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
