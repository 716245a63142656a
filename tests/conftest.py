"""Keeps what takes minutes for those who ask."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of what takes minutes."""
    config.addinivalue_line("markers", "deep: takes minutes; run with -m deep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes, unless it was asked for."""
    if "deep" not in str(config.getoption("markexpr")):
        deep = [item for item in items if item.get_closest_marker("deep")]
        config.hook.pytest_deselected(items=deep)
        items[:] = [item for item in items if item not in deep]
