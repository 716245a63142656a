"""Other processes: each has its own order of sets, its own object ids and caches, and its own time zone."""

from __future__ import annotations

import dis
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.abc import InspectLoader
from types import CodeType, ModuleType
from typing import Final

import orjson

from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.explore.recorded_calls import CallResult, Trial

FRESH: Final = "in a fresh process, with another hash seed, zone of time and order of calls"
_SEEDS: Final = (4711, 4712, 4713, 4714)
"""Where sets are built, two texts stand in the same order in all of these processes, and here, one time in sixteen."""

_SECONDS: Final = 120.0
_ZONE: Final = "ELSE-05:45"
_SETS: Final = {"BUILD_SET", "SET_ADD", "SET_UPDATE"}
_HASHING: Final = {"set", "frozenset", "hash"}


def tried_in_fresh_processes(model: Model, trials: Sequence[Trial]) -> list[list[CallResult]]:
    """Try functions of a flow in other processes, which import it anew: in one, or in several if the flow builds sets.

    Raises:
        ExploreError: the flow cannot be imported there.
    """
    question = orjson.dumps([model.name, dict(model.sources), [tuple(one) for one in trials]])
    seeds = _SEEDS if any(map(_hashes, model.modules)) else _SEEDS[:1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda seed: _tried(model, question, seed), seeds))


def _tried(model: Model, question: bytes, seed: int) -> list[CallResult]:
    # The process finds modules where this one does; -P keeps the working directory from taking precedence.
    path = os.pathsep.join(map(str, sys.path))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(seed), "TZ": _ZONE}
    command = [sys.executable, "-P", "-m", "choreography.explore.again"]
    try:
        # The command is our own, and no shell is involved.
        ran = subprocess.run(  # noqa: S603
            command, input=question, capture_output=True, env=environment, timeout=_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise _untried(model, f"it did not end within {_SECONDS:.0f} seconds") from error
    if ran.returncode:
        raise _untried(model, (ran.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1])
    return [
        CallResult(text, shown, tuple((name, value) for name, value in parts))
        for text, shown, parts in orjson.loads(ran.stdout)
    ]


def _untried(model: Model, reason: str) -> ExploreError:
    return ExploreError(
        f"{model.name} could not be tried again in a fresh process ({reason}), so nobody knows whether it decides the "
        "same there. Production runs it in many processes: let its modules be imported twice, with nothing left behind."
    )


def _hashes(module: ModuleType) -> bool:
    """Tell whether the code of a module builds sets or hashes. Code that cannot be read counts as if it did."""
    loader = getattr(module, "__loader__", None)
    if not isinstance(loader, InspectLoader):
        return True
    try:
        code = loader.get_code(module.__name__)
    except ImportError:
        return True
    return code is None or any(map(_hashing, _codes(code)))


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _hashing(code: CodeType) -> bool:
    steps = list(dis.get_instructions(code))
    return any(
        one.opname in _SETS
        or (one.opname.startswith("LOAD_") and one.argval in _HASHING)
        or (isinstance(one.argval, frozenset) and then.opname != "CONTAINS_OP")
        for one, then in zip(steps, [*steps[1:], steps[-1]], strict=True)
    )
