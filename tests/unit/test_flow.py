"""How the services of a flow are found."""

import importlib
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from choreography.authored import AuthoredError
from choreography.flow import FlowError, services_of

Write = Callable[..., str]
_numbers = itertools.count()

SERVICE = 'from choreography import Service\n\n{0} = Service("{1}")\n'
PUBLISHER = """
from choreography import Event, Service

class {2}(Event, subject="name", type="{3}"):
    name: str

{0} = Service("{1}", publishes=[{2}])
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a package with these modules, importable for one test."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**modules: str) -> str:
        # Each package has a name of its own, because Python remembers imported modules.
        package = tmp_path / f"written_flow_{next(_numbers)}"
        package.mkdir()
        (package / "__init__.py").touch()
        for name, text in modules.items():
            (package / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return package.name

    return write


def test_the_services_of_checkout_come_in_the_order_of_their_names() -> None:
    """Rendering from them gives the same every time."""
    names = [service.name for service in services_of("apps.checkout")]
    assert names == ["billing", "inventory", "notification", "order", "shipping"]


def test_a_service_that_another_module_imports_is_found_once() -> None:
    """Both modules expose the same object."""
    assert len(services_of("apps.checkout")) == len({id(service) for service in services_of("apps.checkout")})


def test_a_flow_may_be_named_by_its_folder() -> None:
    """A shell completes it in this form."""
    assert services_of("apps/checkout/") == services_of("apps.checkout")


def test_contracts_rehearsals_and_main_are_never_imported(written: Write) -> None:
    """They may start something, and only looking for services must not."""
    trap = "raise AssertionError('imported')\n"
    flow = written(order=SERVICE.format("order", "order"), contracts=trap, rehearsal_day=trap, __main__=trap)
    assert [service.name for service in services_of(flow)] == ["order"]


def test_a_flow_without_a_service_is_refused(written: Write) -> None:
    """An empty flow is far more often a wrong name than intended."""
    with pytest.raises(FlowError, match="exposes a Service, so there is nothing to run"):
        services_of(written(order="nothing = 1\n"))


def test_a_module_is_refused_and_its_package_named() -> None:
    """Naming one service where the flow is meant is an easy mistake."""
    with pytest.raises(FlowError, match=r"Name the package: apps\.checkout\."):
        services_of("apps.checkout.order")


def test_a_module_that_is_missing_inside_the_flow_is_not_mistaken_for_the_flow(written: Write) -> None:
    """The message must show the import that failed, and its place."""
    with pytest.raises(AuthoredError, match=r"order\.py, line 1: No module named 'no_such_library'"):
        services_of(written(order="import no_such_library\n"))


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (SERVICE.format("other", "order"), "the app id 'order'"),
        (SERVICE.format("other", "chronicle"), "the name 'chronicle'"),
        (PUBLISHER.format("other", "other", "Rung", "bell.rung.v1"), "order and other of .* both publish 'bell.rung'"),
        (PUBLISHER.format("other", "other", "Rung", "bell.rung.v2"), "order and other of .* both publish 'bell.rung'"),
        (PUBLISHER.format("other", "other", "Rung", "bel.lrung.v1"), "both called 'written.*bellrung' on SNS and SQS"),
        (PUBLISHER.format("other", "other", "Rung", f"bell.{'r' * 80}.v1"), "longer than SNS and SQS allows"),
    ],
)
def test_names_that_would_mix_two_things_up_are_refused(written: Write, second: str, told: str) -> None:
    """Two services with one name would receive each other's events."""
    with pytest.raises(FlowError, match=told):
        services_of(written(order=PUBLISHER.format("order", "order", "Rang", "bell.rung.v1"), other=second))
