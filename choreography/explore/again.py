"""A process that tries functions of a flow which another process explored: `python -m choreography.explore.again`."""

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
    """Try what is asked for, the last first, and return what came of each."""
    flow, sources, trials = orjson.loads(question)
    model = replace(Model.of(flow), sources=sources)
    deciding, cames = Deciding(model), list[CallResult]()
    trying = Trying(model, deciding)
    with deciding.elsewhere:
        for one in reversed(trials):
            cames.insert(0, trying.try_(Trial(*one)))
    return orjson.dumps([tuple(came) for came in cames])


def main() -> None:
    """Read a question from the standard input, and write the answer to the standard output."""
    question = sys.stdin.buffer.read()
    # What the flow itself prints is no part of the answer.
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
