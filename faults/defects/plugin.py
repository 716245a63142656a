"""The pytest plugin that switches one defect on: ``pytest -p faults.defects.plugin --defect NAME``."""

from __future__ import annotations

import sys

import pytest

from faults.defects.catalogue import defect_of
from faults.defects.seeding import seed


def _asked_for(arguments: list[str]) -> str | None:
    for place, word in enumerate(arguments):
        if word == "--defect":
            return arguments[place + 1]
        if word.startswith("--defect="):
            return word.partition("=")[2]
    return None


# At import and not in a hook: before a hook runs, a conftest may have imported the seeded module.
if (_name := _asked_for(sys.argv)) is not None:
    seed(defect_of(_name))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option; its value has been read already."""
    parser.addoption("--defect", help="the seeded defect to test with")
