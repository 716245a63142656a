"""The input of an exploration: the services of a flow, its properties, its scenarios and its outsides."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import cached_property
from types import ModuleType
from typing import Any

from choreography.authored import import_authored, modules_behind
from choreography.contracts import Entity, Intent
from choreography.declaration import Effect
from choreography.explore.events import Events
from choreography.explore.faults import Faults
from choreography.explore.old_release import old_services
from choreography.explore.properties import ExploreError, Property, nothing_is_quarantined
from choreography.explore.scenario import OutsideModel, Scenario, ScenarioMaker
from choreography.flow import package_of, services_of
from choreography.service import Service


@dataclass(frozen=True)
class Model:
    """A flow, ready to be explored."""

    name: str
    services: tuple[Service, ...]
    properties: tuple[Property, ...]
    makers: Mapping[str, ScenarioMaker]
    outsides: Mapping[str, OutsideModel]
    old: Model | None = None
    """An old release of the services of this flow, which runs beside them."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Who publishes an event, by its wire type, where that is known from another release."""
    loaded: tuple[ModuleType, ...] = ()
    """The modules of an old release, which nobody finds by their names."""

    @classmethod
    def of(cls, flow: str) -> Model:
        """Read a flow and its module ``properties``; or take a model from a module, such as ``tests.twins.late:model``.

        Raises:
            ExploreError: there is no such module, or no scenario in it.
        """
        module, _, attribute = flow.partition(":")
        if attribute:
            return _held(module, attribute).called(flow)
        package = package_of(flow).__name__
        name = f"{package}.properties"
        if importlib.util.find_spec(name) is None:
            raise ExploreError(
                f"{name} is not there, so nothing says what must be true of {package}. Write it: a scenario, how each "
                "outside may answer, and properties (always, never, eventually, sometimes)."
            )
        return cls.from_module(package, services_of(flow), import_authored(name))

    @classmethod
    def from_module(cls, name: str, services: Iterable[Service], module: ModuleType) -> Model:
        """Collect the declarations of a module."""
        found = list(vars(module).values())
        properties = tuple(one for one in found if isinstance(one, Property))
        makers = {one.name: one for one in found if isinstance(one, ScenarioMaker)}
        outsides = {one.name: one for one in found if isinstance(one, OutsideModel)}
        if not makers:
            raise ExploreError(
                f"{module.__name__} declares no scenario, so there is nothing to begin with. "
                "Write a function that returns a Scenario, under @scenario."
            )
        model = cls(name, tuple(services), (nothing_is_quarantined, *properties), makers, outsides)
        model.check()
        model.refuse_unknown_settings()
        return model

    @property
    def modules(self) -> list[ModuleType]:
        """The modules that the author wrote: those with the functions, and those that these import."""
        if self.loaded:
            return list(self.loaded)
        declared: list[Any] = [*self.properties, *self.makers.values()]
        for service in self.services:
            declared += [*service.commands, *service.effects.values(), *service.projections]
            declared += [reaction for subject in service.subjects.values() for reaction in subject.reactions]
        return modules_behind([one.function for one in declared] + [one.answers for one in self.outsides.values()])

    def called(self, name: str) -> Model:
        """Return this flow under the name by which commands find it."""
        return replace(self, name=name)

    def check(self) -> None:
        """Refuse an incomplete flow.

        Raises:
            ExploreError: an effect calls an outside that is not declared.
        """
        for service in self.services:
            service.check()
            for effect in service.effects.values():
                if effect.outside not in self.outsides:
                    raise ExploreError(
                        f"{service.name} calls {effect.outside}, and nothing says how that may answer. Declare it "
                        f'beside the properties: @outside("{effect.outside}").'
                    )

    def refuse_unknown_settings(self) -> None:
        """Refuse a property that is required only with settings that no scenario has.

        Raises:
            ExploreError: there is such a property; it would never be judged.
        """
        known = sorted({name for maker in self.makers.values() for name in (*maker.settings, *maker.faults)})
        for one in self.properties:
            for name, value in one.settings:
                if not any(maker.can_be(name, value) for maker in self.makers.values()):
                    near = get_close_matches(name, known, 1)
                    hint = f" Did you mean {near[0]}?" if near and near[0] != name else ""
                    raise ExploreError(
                        f"The property {one.name} is asked for only with {name}={value!r}, and no scenario can be made "
                        f"with that, so nobody would miss it.{hint} Settings are {', '.join(known) or 'none'}."
                    )

    def but(self, *services: Service, outside: OutsideModel | None = None) -> Model:
        """Return this flow with some services of the same names, or an outside, replaced."""
        others = {service.name: service for service in services}
        kept = tuple(others.pop(service.name, service) for service in self.services)
        outsides = dict(self.outsides) | ({outside.name: outside} if outside else {})
        model = replace(self, services=(*kept, *others.values()), outsides=outsides)
        model.check()
        return model

    def beginning_with(self, scenario: Scenario) -> Model:
        """Return this flow with the properties that its scenario requires.

        A `sometimes` is required only if every service is present, unless it names the service that is away.
        """
        self.refuse_unknown_faults(scenario.faults)
        asked = dict(scenario.settings)
        kept = [one for one in self.properties if all(asked.get(key) == value for key, value in one.settings)]
        if scenario.faults.away:
            kept = [one for one in kept if one.mode != "sometimes" or "away" in dict(one.settings)]
        return replace(self.beside(scenario.faults), properties=tuple(kept))

    def beside(self, faults: Faults) -> Model:
        """Return this flow with the old release that runs beside it, if the scenario has one.

        Raises:
            ExploreError: there is no old release, or it shares no service with this flow.
        """
        if self.old is not None or not faults.old:
            return self
        names = [service.name for service in self.services]
        found, modules = old_services(self.name, faults.old)
        services = tuple(service for service in found if service.name in names)
        if not services:
            raise ExploreError(
                f"The old release {faults.old} has {', '.join(one.name for one in found)}, and this flow has "
                f"{', '.join(names)}, so no service would run in both. Name an old release of this flow."
            )
        old = replace(self, services=services, loaded=modules)
        old.check()
        sources = {**old.events.publishers, **self.events.publishers}
        return replace(self, old=replace(old, sources=sources), sources=sources)

    def maker(self, name: str = "") -> ScenarioMaker:
        """Return the maker of a scenario; without a name, of the first declared scenario.

        Raises:
            ExploreError: there is none of this name.
        """
        if name and name not in self.makers:
            raise ExploreError(f"{self.name} has no scenario {name!r}; it has {', '.join(self.makers)}.")
        return self.makers[name or next(iter(self.makers))]

    def scenario(self, name: str = "", /, **settings: Any) -> Scenario:
        """Make a scenario; without a name, the first declared one."""
        made = self.maker(name)(**settings)
        self.refuse_unknown_faults(made.faults)
        return made

    def refuse_unknown_faults(self, faults: Faults) -> None:
        """Refuse faults of services and events that this flow does not have.

        Raises:
            ExploreError: there is such a fault.
        """
        faults.refuse_unknown([service.name for service in self.services])
        for name in faults.foreign:
            self.events.heard_as(name)
        self.beside(faults)

    def service(self, name: str) -> Service:
        """Return a service by its name."""
        return next(service for service in self.services if service.name == name)

    def source(self, wire_type: str) -> str:
        """Return the name of the publisher of an event: a service of this flow, or a foreign publisher.

        Raises:
            ExploreError: no service publishes or consumes it.
        """
        return self.sources.get(wire_type) or self.events.source(wire_type)

    def event_name(self, wire_type: str) -> str:
        """Return the name of the class of an event; its wire type if no service knows it."""
        return self.events.name(wire_type) or (self.old.event_name(wire_type) if self.old else wire_type)

    @cached_property
    def events(self) -> Events:
        """The events that its services publish and consume."""
        return Events(self.name, self.services)

    def owner(self, entity: type[Entity]) -> Service:
        """Return the service that keeps an entity.

        Raises:
            ExploreError: no service keeps it.
        """
        for service in self.services:
            if entity in service.entities:
                return service
        raise ExploreError(f"No service of {self.name} keeps {entity.__name__}, so it can be neither given nor judged.")

    def listeners(self, wire_type: str) -> tuple[Service, ...]:
        """Return the services that react to an event, in this release or in the old one beside it."""
        hear = {
            one.name for one in (*self.services, *(self.old.services if self.old else ())) if _hears(one, wire_type)
        }
        return tuple(one for one in self.services if one.name in hear)

    def effect(self, service: str, name: str) -> Effect:
        """Return an effect by its name."""
        found = self.find_effect(service, name)
        assert found is not None  # noqa: S101 - callers know the effect from this release
        return found

    def find_effect(self, service: str, name: str) -> Effect | None:
        """Return an effect by its name, if this release has it."""
        services = [one for one in self.services if one.name == service]
        return next((one for service in services for one in service.effects.values() if one.name == name), None)

    def outside_of(self, service: str, effect: str) -> str:
        """Return the outside that an effect of either release calls; the service itself if neither has it."""
        found = self.find_effect(service, effect) or (self.old.find_effect(service, effect) if self.old else None)
        return found.outside if found else service

    def outside_that_answers(self, service: str, wire_type: str) -> str:
        """Return the outside whose answer a service of either release may consume."""
        releases = (self, self.old) if self.old else (self,)
        services = (one for release in releases for one in release.services if one.name == service)
        effects = (one for found in services for one in found.effects.values())
        return next(one.outside for one in effects if any(answer.wire_type == wire_type for answer in one.answers))

    def effect_of(self, service: str, intent: type[Intent]) -> Effect:
        """Return the effect that carries out an intent."""
        return self.service(service).effects[intent]


def _hears(service: Service, wire_type: str) -> bool:
    return wire_type in service.subjects and bool(service.subjects[wire_type].topic)


def _held(module: str, attribute: str) -> Model:
    """Return a model from a module.

    Raises:
        ExploreError: there is no model of this name.
    """
    try:
        names = vars(import_authored(module))
    except ModuleNotFoundError as error:
        raise ExploreError(
            f"There is no module {error.name!r}, so it holds no model to explore. Name it as Python would import it "
            "from here: tests.twins.late:model."
        ) from error
    found = names.get(attribute)
    if not isinstance(found, Model):
        known = ", ".join(name for name, one in names.items() if isinstance(one, Model)) or "none"
        raise ExploreError(
            f"{module} holds no model {attribute!r}, so there is nothing to explore. Models in it: {known}."
        )
    return found
