"""What every command ends with, so that a build can tell a flaw from a check that could not be done."""

from typing import Final

HOLDS: Final = 0
"""All that was asked for was done, and nothing is wrong."""
BROKEN: Final = 1
"""Something is wrong with what was looked at."""
CANNOT_RUN: Final = 2
"""The command could not be carried out, so nothing is known."""
NOT_ALL_SEEN: Final = 3
"""Nothing was found, and not everything was seen."""
