"""The exit codes of all commands: a build can distinguish a defect from a check that could not be done."""

from typing import Final

HOLDS: Final = 0
"""The whole task was done, and nothing is wrong."""
BROKEN: Final = 1
"""The examined thing is wrong."""
CANNOT_RUN: Final = 2
"""The command could not be carried out, so no result is known."""
NOT_ALL_SEEN: Final = 3
"""Nothing wrong was found, but not everything was examined."""
