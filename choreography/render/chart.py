"""The part of a flow's Helm chart that follows from the declarations: the folder `files/`, read by its templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from choreography.flow import FlowError
from choreography.render import components
from choreography.render.access import LOGIN, login_settings
from choreography.render.alerts import FILE as ALERTS
from choreography.render.alerts import alert_files
from choreography.render.autoscalers import triggers_of
from choreography.render.brokers import BROKERS, BrokerFacts
from choreography.render.chart_values import values_files
from choreography.render.dashboard import dashboard
from choreography.render.source import Files, RenderSource, as_yaml, read
from choreography.render.subscriptions import subscriptions_of
from choreography.service import Service
from choreography.topics import CHRONICLE, TopicNaming

CHARTS: Final = "helm"
"""The folder, beside that of the flows, in which charts are looked for."""

_BROKER_SECRET: Final = "choreography-broker"  # noqa: S105 - the name of a Secret, not a secret
_STORE_SECRET: Final = "choreography-store"  # noqa: S105 - the name of a Secret, not a secret

_FROM_ENVIRONMENT: Final = re.compile(r"^(?P<indent> +)envRef: (?P<key>(?!AWS_)\w+)$", re.MULTILINE)
"""What AWS's own programs read as well is no secret, and stays in the environment."""

_PREFIXED: Final = TopicNaming("the-topic-prefix")
"""Topics as a chart holds them: its templates put the prefix of a release in the place of this one."""

_ONE_PROCESS: Final = "state.sqlite"
"""A file that one process may open, which no pod can hand over to the next one; charts refuse it."""

_POSTGRES: Final = "state.postgresql"
_STORE_PORTS: Final[Mapping[str, int]] = {_POSTGRES: 5432, "state.mysql": 3306}
"""Where stores listen, unless a chart is told otherwise."""


def charts_of(source: RenderSource) -> tuple[Path, ...]:
    """Return the charts that are rendered from this flow: the ``files/flow.yaml`` of each names the flow."""
    found = sorted((source.root / CHARTS).glob("*/files/flow.yaml"))
    return tuple(path.parents[1] for path in found if yaml.safe_load(path.read_text()).get("package") == source.name)


def chart_files(source: RenderSource, chart: Path) -> Files:
    """Render the files of a chart that follow from a flow, its schema and its README, by path within the chart.

    Raises:
        FlowError: the folder holds no chart.
    """
    values = chart / "values.yaml"
    if not values.exists() or not (chart / "Chart.yaml").exists():
        raise FlowError(
            f"{chart} holds no Chart.yaml and values.yaml, so nothing would place what is rendered. "
            "Copy helm/choreography from the Choreography repository there, and render again."
        )
    return {f"files/{name}": text for name, text in _files(source)} | values_files(chart, source.name)


def _files(source: RenderSource) -> Iterator[tuple[str, str]]:
    yield "flow.yaml", as_yaml(_flow(source))
    yield "configuration.yaml", source.component("tracing.yaml")
    yield ALERTS, alert_files(source)[ALERTS]
    yield "dashboard.json", dashboard(source.title, source.name)
    for store in (one for one in source.stores if _kind_of(read(one)) != _ONE_PROCESS):
        base = components.statestore(read(store), source.services)
        yield f"stores/{store.stem}/component.yaml", _with_secrets(base, _STORE_SECRET)
        policy = components.state_resiliency(source.component(components.STATE_RESILIENCY), source.services)
        yield f"stores/{store.stem}/resiliency.yaml", policy
        yield f"stores/{store.stem}/facts.yaml", as_yaml(_store_facts(read(store)))
    for broker in source.brokers:
        yield from _broker_files(source, broker)


def _broker_files(source: RenderSource, broker: Path) -> Iterator[tuple[str, str]]:
    base, place = read(broker), f"brokers/{broker.stem}"
    name, said = components.name_in(base), components.subscription_metadata_in(yaml.safe_load(base))
    heard = [text for service in source.services for text in subscriptions_of(service, name, said, _PREFIXED).values()]
    pubsub = components.pubsub(base, source.services, _PREFIXED)
    yield f"{place}/components.yaml", _with_secrets(pubsub, _BROKER_SECRET)
    yield f"{place}/subscriptions.yaml", "---\n".join(heard)
    yield (
        f"{place}/resiliency.yaml",
        components.resiliency(source.component("resiliency.yaml"), source.services, name, _PREFIXED),
    )
    login = login_settings(source, broker.stem)
    if login:
        yield f"{place}/{LOGIN}", login
    yield (
        f"{place}/facts.yaml",
        as_yaml(_broker_facts(source, base, name, BROKERS.get(broker.stem)) | _logins(base + login)),
    )


def _flow(source: RenderSource) -> dict[str, Any]:
    return {
        "flow": source.title,
        "package": source.name,
        "observer": CHRONICLE,
        "topicPrefix": source.names.prefix,
        # The port of the database that services use without a sidecar.
        "databasePort": _STORE_PORTS[_POSTGRES],
        "services": {service.name: _service(source, service) for service in source.services},
    }


def _service(source: RenderSource, service: Service) -> dict[str, Any]:
    return {
        "module": source.module_of(service),
        # Whether users send requests to it; deliveries of a sidecar come over loopback.
        "requests": bool(service.commands or service.views or service.lists),
        "outsides": sorted({effect.outside for effect in service.effects.values()}),
    }


def _store_facts(base: str) -> dict[str, Any]:
    return {"port": _STORE_PORTS.get(_kind_of(base), 0)}


def _kind_of(base: str) -> str:
    return str(yaml.safe_load(base)["spec"]["type"])


def _broker_facts(source: RenderSource, base: str, name: str, broker: BrokerFacts | None) -> dict[str, Any]:
    kept = _FROM_ENVIRONMENT.search(base)
    facts: dict[str, Any] = {"pubsub": name, "address": kept["key"] if kept else ""}
    if broker is None:
        return facts
    names = _PREFIXED if broker.prefixed else source.names
    return facts | {
        "port": broker.port,
        "elsewhere": broker.elsewhere,
        "management": broker.management,
        "scaling": {
            "parameter": broker.address,
            # KEDA takes most addresses in the component's form; a different form has a key of its own.
            "key": facts["address"] if broker.same_address else broker.address,
            "environment": broker.environment,
            "prefixed": broker.prefixed,
            "advice": broker.advice,
            "triggers": {
                service.name: list(triggers_of(service, broker, names)) for service in source.services if service.hears
            },
        },
    }


def _logins(settings: str) -> dict[str, Any]:
    """Return the content of each service's Secret, if each service has a user of the broker."""
    return {"login": [found["key"] for found in _FROM_ENVIRONMENT.finditer(settings)]}


def _with_secrets(component: str, secret: str) -> str:
    """Take from Secrets the settings that a sidecar on a laptop takes from its environment."""

    def moved(found: re.Match[str]) -> str:
        indent = found["indent"]
        return f"{indent}secretKeyRef:\n{indent}  name: {secret}\n{indent}  key: {found['key']}"

    return _FROM_ENVIRONMENT.sub(moved, component)


def stray_files(chart: Path, texts: Mapping[Path, str]) -> list[Path]:
    """Return the files in ``files/`` that are not rendered; a template would take them for a broker or a store."""
    return sorted(path for path in (chart / "files").rglob("*") if path.is_file() and path not in texts)
