"""Ports are free, differ from each other, and stay the same when a flow is started again."""

from __future__ import annotations

import socket
from pathlib import Path

from choreography.up.ports import Ports


def test_every_name_has_its_own_port(tmp_path: Path) -> None:
    """A name always has the same port; no two names share one."""
    ports = Ports(tmp_path / "ports.json")
    chosen = [ports.of(str(number)) for number in range(50)]
    assert len(set(chosen)) == 50
    assert ports.of("7") == chosen[7]


def test_a_later_run_finds_the_same_ports(tmp_path: Path) -> None:
    """An address that was opened in a browser is still right after a restart."""
    before = Ports(tmp_path / "ports.json")
    port = before.of("order")
    before.release()
    assert Ports(tmp_path / "ports.json").of("order") == port


def test_two_runs_at_the_same_time_do_not_share_a_port(tmp_path: Path) -> None:
    """A port is taken from the moment it is chosen, before any server listens on it."""
    (tmp_path / "a").mkdir()
    first = Ports(tmp_path / "a" / "ports.json")
    port = first.of("order")
    (tmp_path / "b.json").write_text((tmp_path / "a" / "ports.json").read_text())
    assert Ports(tmp_path / "b.json").of("order") != port


def test_a_remembered_port_that_somebody_took_is_replaced(tmp_path: Path) -> None:
    """Between two runs another program may take a port."""
    before = Ports(tmp_path / "ports.json")
    port = before.of("order")
    before.release()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert Ports(tmp_path / "ports.json").of("order") != port
