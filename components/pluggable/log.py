"""The log of a component."""

from __future__ import annotations

import logging
from typing import Final

LOG: Final = logging.getLogger("component")
