"""A flow: the services that dance together, found by looking into its package."""

from __future__ import annotations

import pkgutil
import re
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Final

from choreography.authored import import_authored
from choreography.broker_names import unusable
from choreography.errors import ChoreographyError
from choreography.service import Service
from choreography.topics import CHRONICLE, TopicNaming, prefix_of


class FlowError(ChoreographyError):
    """A flow cannot be found, or its services contradict each other."""


_NOT_SERVICES = ("contracts", "properties", "rehearsal", "__main__")
_DOTTED: Final = re.compile(r"\w+(\.\w+)*")


def package_of(flow: str) -> ModuleType:
    """Import the package of a flow, named as ``apps.checkout`` or by its folder, ``apps/checkout``."""
    name = flow.strip("/").replace("/", ".")
    if not _DOTTED.fullmatch(name):
        raise FlowError(
            f"{flow!r} is not the name of a package, so no flow can be found by it. "
            "Name the flow as Python would import it from here: apps.checkout."
        )
    try:
        package = import_authored(name)
    except ModuleNotFoundError as error:
        raise FlowError(
            f"There is no package {error.name!r}, so the services of the flow {flow!r} cannot be found. "
            "Name the flow as Python would import it from here: apps.checkout."
        ) from error
    if not hasattr(package, "__path__"):
        raise FlowError(
            f"{name} is a module, but a flow is a package with one module per service. "
            f"Name the package: {name.rpartition('.')[0] or 'apps.checkout'}."
        )
    return package


def services_of(flow: str) -> tuple[Service, ...]:
    """Return the services of a flow, ordered by name: every ``Service`` that a module of its package exposes.

    Raises:
        FlowError: there is no such package, no service in it, or two share a name or publish
            one family of events, a name is reserved, or a topic would have a name that some broker cannot have.
    """
    package = package_of(flow)
    found: dict[int, Service] = {}
    for _, name, is_package in pkgutil.iter_modules(package.__path__):
        if is_package or name.startswith(_NOT_SERVICES):
            continue
        module = import_authored(f"{package.__name__}.{name}")
        found.update((id(value), value) for value in vars(module).values() if isinstance(value, Service))
    services = sorted(found.values(), key=lambda service: service.name)
    if not services:
        raise FlowError(
            f"No module in {package.__name__} exposes a Service, so there is nothing to run or render. "
            'Write one: shipping = Service("shipping", publishes=[ShipmentDispatched]).'
        )
    _refuse_twins(package.__name__, "app id", [service.name for service in services])
    _refuse_shared_families(package.__name__, services)
    _refuse_reserved(services)
    if sentences := list(unusable(services, TopicNaming(prefix_of(package.__name__)))):
        raise FlowError(" ".join(sentences))
    return tuple(services)


def package_at(folder: Path) -> str:
    """Return the package name of a folder; None if the package cannot be imported from the working directory."""
    folder, here = folder.resolve(), Path.cwd()
    inside = folder.is_relative_to(here) and (folder / "__init__.py").exists()
    return ".".join(folder.relative_to(here).parts) if inside else ""


def module_of(flow: str, service: Service) -> str:
    """Return the module that declares a service of a flow; `choreography serve` names the service by it.

    A module that merely imports the service of another module has the same value, but does not declare it.
    """
    package = package_of(flow)
    names = [
        f"{package.__name__}.{name}"
        for _, name, is_package in pkgutil.iter_modules(package.__path__)
        if not is_package and not name.startswith(_NOT_SERVICES)
    ]
    for name in names:
        values = [value for value in vars(import_authored(name)).values() if isinstance(value, Service)]
        if any(value is service for value in values) and len({id(value) for value in values}) == 1:
            return name
    raise FlowError(
        f"No module of {package.__name__} exposes {service.name} and no other service, so no process could serve it. "
        "Give it a module of its own."
    )


def _refuse_twins(flow: str, what: str, names: list[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise FlowError(
            f"Two services of {flow} have the {what} {twice[0]!r}, so each would receive or answer for the "
            f"other's events. Give each its own {what}."
        )


def _refuse_shared_families(flow: str, services: list[Service]) -> None:
    publishers: dict[str, Service] = {}
    for service in services:
        for topic in service.topics:
            first = publishers.setdefault(topic, service)
            if first is not service:
                raise FlowError(
                    f"{first.name} and {service.name} of {flow} both publish {topic!r}, but all versions of an event "
                    "share one topic, which has one publisher: the scopes could not tell whose event it is. Let one of "
                    "the two publish another event."
                )


def _refuse_reserved(services: list[Service]) -> None:
    for service in services:
        if service.name == CHRONICLE:
            raise FlowError(
                f"{service.name} uses the name {service.name!r}, which every flow keeps for itself, so its messages "
                "would be mixed up with those that keep the flow going. Choose another name."
            )
