"""Processes that die without any cleanup, and processes that freeze without dying."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable

from faults.replicated_flow import REDELIVERED_AFTER, Stage

Harm = Callable[[Stage], Awaitable[None]]


def of_service(service: str) -> Harm:
    """One replica is killed and started again."""

    async def die(stage: Stage) -> None:
        name = stage.one_of(service)
        await _gone_for(stage, 2, name)

    return die


def of_sidecar(service: str) -> Harm:
    """The sidecar of one replica is killed and started again."""

    async def die(stage: Stage) -> None:
        await _gone_for(stage, 2, f"{stage.one_of(service)}-sidecar")

    return die


def of_server(server: str) -> Harm:
    """A server is killed and started again, with everything that it had acknowledged."""

    async def die(stage: Stage) -> None:
        await _gone_for(stage, 2, server)

    return die


def restarted_at_once(server: str) -> Harm:
    """PostgreSQL restarts like ``pg_ctl restart -m immediate``: a crash that ends every session."""

    async def restart(stage: Stage) -> None:
        stage.down.add(server)
        stage.flow.may_end(server)
        pid = stage.flow.pid(server)
        if pid is not None:
            os.kill(pid, signal.SIGQUIT)
        while stage.flow.pid(server) is not None:  # noqa: ASYNC110 - the flow sends no signal
            await asyncio.sleep(0.05)
        await stage.bring_back(server)

    return restart


async def of_all_services(stage: Stage) -> None:
    """All replicas of every service are killed at once, as by a power cut."""
    await _gone_for(stage, 1, *stage.apps)


async def of_all_sidecars(stage: Stage) -> None:
    """All sidecars are killed at once, as by a power cut."""
    await _gone_for(stage, 1, *stage.sidecars)


def frozen(service: str) -> Harm:
    """One replica freezes for so long that others take over, then continues as if nothing had happened."""

    async def freeze(stage: Stage) -> None:
        await _frozen(stage, stage.one_of(service))

    return freeze


def frozen_sidecar(service: str) -> Harm:
    """The sidecar of one replica freezes for as long, with deliveries in hand."""

    async def freeze(stage: Stage) -> None:
        await _frozen(stage, f"{stage.one_of(service)}-sidecar")

    return freeze


async def _gone_for(stage: Stage, seconds: float, *names: str) -> None:
    await stage.kill(*names)
    await asyncio.sleep(seconds)
    await stage.bring_back(*names)


async def _frozen(stage: Stage, name: str) -> None:
    stage.flow.pause(name)
    try:
        await asyncio.sleep(REDELIVERED_AFTER + 4)
    finally:
        stage.flow.resume(name)
