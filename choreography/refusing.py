"""Failures of commands: a command that cannot do its task prints a sentence and ends with the matching exit code."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Final, NoReturn

import typer
from rich.console import Console

from choreography.authored import told
from choreography.errors import ChoreographyError
from choreography.exit_codes import CANNOT_RUN

_STACK: Final = "CHOREOGRAPHY_STACK"


def run_or_refuse(command: Callable[[], object]) -> None:
    """Run a command line; an error ends it with a sentence, never with a stack trace."""
    try:
        command()
    except ChoreographyError as error:
        _refuse(str(error))
    except OSError as error:
        place = f"{error.filename} cannot be used" if error.filename else "Something of this machine cannot be used"
        _refuse(f"{place} ({error.strerror or error}), so the command ended. Mend that, and try again.")
    except Exception as error:
        if os.environ.get(_STACK):
            raise
        _refuse(
            f"Choreography itself failed: {told(error)}. That is a mistake of ours and says nothing about your flow. "
            f"Please report it with the stack, which {_STACK}=1 shows."
        )


def _refuse(sentence: str) -> NoReturn:
    Console(stderr=True).print(f"\n{sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(CANNOT_RUN)


def seconds_of(text: str | float) -> float:
    """Read a positive number of seconds: with infinity the wait would never end, below zero it would never begin."""
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise typer.BadParameter(f"{text!r} is no number of seconds above zero; write one, such as 60.")
    return seconds
