"""Without Helm, tests that need it are left to `make chart-test`, and the report says so."""

from __future__ import annotations

import pytest

from tests.unit.helm.placing import helm


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of this folder."""
    config.addinivalue_line("markers", "helm: needs Helm; where there is none it runs only when asked for with -m helm")


def pytest_report_header() -> str:
    """Report which Helm is used, because a skipped test must not look like a passed one."""
    return f"helm: {helm() or 'not here, so the templates of the chart are left to `make chart-test`'}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip tests that cannot run here; if they were asked for, let them fail and say what is missing."""
    if helm() is None and "helm" not in str(config.getoption("markexpr")):
        without = [item for item in items if item.get_closest_marker("helm")]
        config.hook.pytest_deselected(items=without)
        items[:] = [item for item in items if item not in without]
