"""Tries functions of a flow again that another process explored: `python -m choreography.explore.again`."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import orjson

from choreography.errors import ChoreographyError
from choreography.explore.model import Model
from choreography.explore.production_step import Deciding
from choreography.explore.recorded_calls import CallResult, Trial, Trying


def answered(question: bytes) -> bytes:
    """Run the requested trials, the last one first, and return their results."""
    flow, sources, trials = orjson.loads(question)
    model = replace(Model.of(flow), sources=sources)
    deciding, cames = Deciding(model), list[CallResult]()
    trying = Trying(model, deciding)
    with deciding.elsewhere:
        for one in reversed(trials):
            cames.insert(0, trying.try_(Trial(*one)))
    return orjson.dumps([tuple(came) for came in cames])


def main() -> None:
    """Read the trials from the standard input, and write the results to the standard output."""
    question = sys.stdin.buffer.read()
    # Text that the flow itself prints is not part of the answer.
    answer = os.dup(1)
    os.dup2(2, 1)
    try:
        told = answered(question)
    except ChoreographyError as error:
        sys.exit(" ".join(str(error).split()))
    with os.fdopen(answer, "wb") as out:
        out.write(told)


if __name__ == "__main__":
    main()
