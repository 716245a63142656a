"""The values of the chart: each is described, unknown ones are refused, and other files hold differences."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from choreography.render.chart_values import ChartValue, ChartValuesError, entries_of
from choreography.render.dashboard import dashboard
from choreography.telemetry import Metrics
from tests.unit.helm.placing import CHART

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
FILES = [*sorted(CHART.glob("values-*.yaml")), *sorted((CHART / "values").glob("*.yaml"))]
NAMED_BY_ITS_FILE = ("broker", "kind")

Path_ = tuple[str, ...]


def leaves(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Yield every value that is not a mapping, with its keys."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from leaves(one, (*path, key))
    else:
        yield path, value


def default_at(path: Path_) -> Any:
    """Return the default of a value; for one service, that of all services."""
    found: Any = VALUES
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def mappings(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the path of every mapping whose names are the chart's, and not the user's."""
    entry = ENTRIES.get(path)
    if isinstance(value, dict) and not (entry and entry.open):
        yield path
        for key, one in value.items():
            yield from mappings(one, (*path, key))


def by_path(entries: tuple[ChartValue, ...]) -> dict[Path_, ChartValue]:
    """Return every value by its keys."""
    found = {entry.path: entry for entry in entries}
    for entry in entries:
        found |= by_path(entry.below)
    return found


ENTRIES = by_path(entries_of(CHART / "values.yaml"))


def refused(values: Any) -> str:
    """Return why the schema refuses values, or nothing."""
    errors = list(jsonschema.Draft7Validator(SCHEMA).iter_errors(values))
    return "; ".join(error.message for error in errors)


def test_the_schema_is_a_schema_and_accepts_the_defaults() -> None:
    """Otherwise Helm would refuse every installation."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    assert refused(VALUES) == ""


@pytest.mark.parametrize("path", sorted(set(mappings(VALUES))), ids=".".join)
def test_a_name_that_is_not_there_is_refused_at_every_level(path: Path_) -> None:
    """Otherwise a spelling mistake would be silently ignored."""
    values = copy.deepcopy(VALUES)
    place: Any = values
    for key in path:
        place = place[key]
    place["replicsa"] = {} if path != ("services",) else {"replicsa": 2}
    assert "replicsa" in refused(values)


def test_a_service_may_say_what_all_services_may_say_and_nothing_else() -> None:
    """Its entry has the shape of the defaults."""
    values = copy.deepcopy(VALUES)
    values["services"]["order"] = copy.deepcopy(VALUES["defaults"]) | {"replicas": 3}
    assert refused(values) == ""
    values["services"]["order"]["probes"]["startup"]["period"] = 1
    assert refused(values)


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        (("image", "pullPolicy"), "Sometimes"),
        (("image", "digest"), "latest"),
        (("defaults", "replicas"), "3"),
        (("defaults", "autoscaling", "minReplicas"), 0),
        (("tracing", "sampling"), 2),
        (("broker", "metadata"), [{"name": "redisPassword", "value": "a", "secretKeyRef": {"name": "a", "key": "b"}}]),
        (("outsides",), {"payment-provider": {"url": "pay.example.com"}}),
        (("networkPolicy", "brokerPeers"), []),
        (("store", "sslmode"), "always"),
        (("defaults", "database", "secretName"), None),
        (("services", "order"), "yes"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(path: Path_, wrong: Any) -> None:
    """Every value must satisfy its annotations."""
    values = copy.deepcopy(VALUES)
    place: Any = values
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = wrong
    assert refused(values)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.name))
def test_a_second_file_of_values_holds_only_differences(file: Path) -> None:
    """A full copy would miss what is added to the first one."""
    values = yaml.safe_load(file.read_text())
    for path, value in leaves(values):
        assert path == NAMED_BY_ITS_FILE or value != default_at(path), f"{'.'.join(path)} is the default already"
    assert refused(values) == ""


def test_every_broker_has_a_file_of_values_that_names_it() -> None:
    """No file names a broker that is not rendered."""
    named = {
        file.stem: yaml.safe_load(file.read_text())["broker"]["kind"] for file in (CHART / "values").glob("*.yaml")
    }
    rendered = {path.name for path in (CHART / "files/brokers").iterdir()}
    assert named == {broker: broker for broker in rendered}


def test_every_value_is_explained_where_it_stands() -> None:
    """It has a comment, or, where its name is clear, its parent has one."""
    for path, entry in ENTRIES.items():
        above = [ENTRIES[path[:length]] for length in range(1, len(path) + 1)]
        assert any(one.told for one in above), path
        assert entry.told.endswith((".", ")", ":", "?")) or not entry.told, path


def test_the_readme_names_every_value() -> None:
    """It shows the default, so that users need not read YAML."""
    readme = (CHART / "README.md").read_text()
    for path, entry in ENTRIES.items():
        if not entry.below:
            assert f"`{'.'.join(path)}`" in readme


@pytest.mark.parametrize("file", [CHART / "values.yaml", *FILES], ids=lambda file: str(file.name))
def test_no_value_is_a_secret(file: Path) -> None:
    """Secrets are named, never told: values end in histories and logs."""
    for path, value in leaves(yaml.safe_load(file.read_text())):
        if re.search(r"password|token|secret|credential|connection", path[-1], re.IGNORECASE):
            assert path[-1].lower().endswith("secretname") or path == ("image", "pullSecrets"), path
        assert not re.search(r"://[^/]*:[^/]*@", str(value)), path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# What.\n# @ enum: [a\nname: a\n", "no YAML"),
        ("# What.\nname: null\n", "nothing says what it may be"),
        ("- a\n", "no mapping"),
    ],
)
def test_values_that_cannot_be_described_are_refused(text: str, told: str, tmp_path: Path) -> None:
    """Otherwise a schema that accepts everything would look like one that checks."""
    values = tmp_path / "values.yaml"
    values.write_text(text)
    with pytest.raises(ChartValuesError, match=told):
        entries_of(values)


def test_the_dashboard_shows_metrics_that_services_count() -> None:
    """A panel of a renamed metric would be empty without an explanation."""
    metrics = Metrics("some")
    metrics.unanswered_by("an outside")
    counted = {sample.name for metric in metrics.registry.collect() for sample in metric.samples}
    shown = set(
        re.findall(r"choreography_\w+", dashboard("checkout", "apps.checkout").replace("choreography_checkout", ""))
    )
    assert shown
    assert shown <= counted, shown - counted
