"""Lets engine tests import the plain modules beside them, and makes their random examples repeatable."""

import sys
from pathlib import Path

from hypothesis import settings

ROOT = str(Path(__file__).parents[3])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

settings.register_profile("engine", deadline=None, derandomize=True, max_examples=300, database=None)
settings.load_profile("engine")
