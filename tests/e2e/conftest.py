"""One cluster for all of these tests, and the information that people need when one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from choreography.progress import Progress
from choreography.render import fill_chart
from lab import Cluster, running
from tests.e2e.checkout import CHART, Checkout
from tests.e2e.test_leave import left_by_the_flow
from tests.e2e.trouble import told

HERE = Path(__file__).parent
FOLDER = Path(".run") / "e2e"
LONGEST = 900
ORDER = ["lab", "chart", "hurt", "flow", "releases", "move", "leave", "skaffold"]
"""Each stands on what the ones before it left, as installing a cluster's worth of pods takes minutes. The auditor comes
first: it wants to know of every order there ever was."""

_shown: list[Cluster] = []


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of these tests."""
    config.addinivalue_line("markers", "e2e: starts a whole cluster; run with `make e2e`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip these tests in an ordinary run, and sort them."""
    ours = [item for item in items if HERE in item.path.parents]
    others = [item for item in items if item not in ours]
    if "e2e" not in str(config.getoption("markexpr")):
        config.hook.pytest_deselected(items=ours)
        ours = []
    for item in ours:
        item.add_marker(pytest.mark.e2e)
        item.add_marker(pytest.mark.timeout(LONGEST))
    items[:] = [*others, *sorted(ours, key=lambda item: ORDER.index(item.path.stem.removeprefix("test_")))]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """Say at once why a test failed; at the end, in what state the pods were then and what the unwell ones said."""
    report = yield
    if report.failed and _shown:  # type: ignore[attr-defined]
        Console(stderr=True).print(report.longreprtext[-4000:], markup=False, highlight=False)  # type: ignore[attr-defined]
        report.sections.append(("the cluster", told(_shown[0])))  # type: ignore[attr-defined]
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print a table of the results and their durations."""
    shown: dict[str, list[pytest.TestReport]] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if "tests/e2e/" in report.nodeid:
                name = report.nodeid.rpartition("::test_")[2].partition("[")[0].replace("_", " ")
                shown.setdefault(name, []).append(report)
    table = Table("shown in a cluster", "", "times", "seconds")
    for name, reports in shown.items():
        mark = "✓" if all(report.passed for report in reports) else "✗"
        table.add_row(name, mark, f"{len(reports)}", f"{sum(report.duration for report in reports):.0f}")
    if shown:
        Console(width=140).print(table)


@pytest.fixture(scope="session")
async def cluster() -> AsyncIterator[Cluster]:
    """A cluster with Dapr, our image and the rendered chart, removed after the tests."""
    await asyncio.to_thread(fill_chart, "apps.checkout", Path(CHART))
    async with running(FOLDER, Progress()) as one:
        _shown.append(one)
        death = asyncio.create_task(one.until_death())
        try:
            yield one
        finally:
            death.cancel()
            _shown.clear()


@pytest.fixture(scope="session")
async def equipped(cluster: Cluster) -> Cluster:
    """A cluster with Redis, PostgreSQL and Zipkin in the namespace of the flow, from the manifests that are shipped."""
    await cluster.do("k8s/secrets/make")
    await cluster.kubectl("apply", "--kustomize", "k8s/overlays/redis")
    await asyncio.gather(*(rolled_out(cluster, what) for what in ("statefulset/redis", "statefulset/postgres")))
    return cluster


async def rolled_out(cluster: Cluster, what: str) -> None:
    """Wait until a server is ready."""
    await cluster.kubectl("rollout", "status", what, "--namespace", "checkout", "--timeout", "180s")


@pytest.fixture(scope="session")
async def checkout(equipped: Cluster) -> AsyncIterator[Checkout]:
    """The flow, installed with its chart."""
    async with Checkout(equipped) as flow:
        flow.before = set(await left_by_the_flow(flow))
        # Only traces need Zipkin, and it takes longest to start.
        await asyncio.gather(flow.install(), rolled_out(equipped, "deployment/zipkin"))
        yield flow
