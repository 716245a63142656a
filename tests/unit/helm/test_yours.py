"""A user's additions to pods appear once, beside the chart's own, or are refused with a message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.unit.helm.placing import CHART, Rendered, of_kind, place, pods, refusal, restricted, setting, template

pytestmark = pytest.mark.helm

VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
SERVICES = sorted(VALUES["services"])
JOBS = ("Job/checkout-migrate", "Job/checkout-provision")
OF_THE_CHART = {"Deployment/payment-provider", *JOBS, "Pod/checkout-test"}
SECRET = {"valueFrom": {"secretKeyRef": {"name": "carrier", "key": "token"}}}
CA: dict[str, Any] = {
    "extraVolumes": [{"name": "company-ca", "configMap": {"name": "company-ca"}}],
    "extraVolumeMounts": [{"name": "company-ca", "mountPath": "/company", "readOnly": True}],
    "env": {"SSL_CERT_FILE": "/company/ca.crt"},
}


class Strict(yaml.SafeLoader):
    """A loader that refuses a key that stands twice, as Kubernetes may."""


def _strictly(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    assert len(keys) == len(set(keys)), f"twice at line {node.start_mark.line}: {keys}"
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


Strict.add_constructor("tag:yaml.org,2002:map", _strictly)


def strictly(*words: str) -> Rendered:
    """Place the chart; no document has a key twice, and no list of names has a name twice."""
    told = template(*words)
    assert told.returncode == 0, told.stderr
    rendered = [one for one in yaml.load_all(told.stdout, Loader=Strict) if one]
    for name, pod in pods(rendered).items():
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            _once(f"{name} env", [one["name"] for one in container.get("env", [])])
            _once(f"{name} mounts", [one["mountPath"] for one in container.get("volumeMounts", [])])
        _once(f"{name} volumes", [one["name"] for one in pod.get("volumes", [])])
    for component in of_kind(rendered, "Component").values():
        _once("settings", [one["name"] for one in component["spec"]["metadata"]])
    return rendered


def _once(where: str, names: list[str]) -> None:
    assert len(names) == len(set(names)), (where, names)


def variables(rendered: Rendered, pod: str) -> dict[str, Any]:
    """Return the environment of the one container of a pod."""
    return {one.pop("name"): one for one in map(dict, pods(rendered)[pod]["containers"][0]["env"])}


def test_a_variable_may_come_from_a_secret() -> None:
    """This works beside plain texts, and for one service alone."""
    rendered = strictly(*setting(defaults__env={"PLAIN": "a: b"}, services__shipping__env={"CARRIER_TOKEN": SECRET}))
    found = variables(rendered, "Deployment/shipping")
    assert (found["PLAIN"], found["CARRIER_TOKEN"]) == ({"value": "a: b"}, SECRET)
    assert "CARRIER_TOKEN" not in variables(rendered, "Deployment/order")


@pytest.mark.parametrize(
    ("common", "own"),
    [
        (SECRET, {"valueFrom": {"configMapKeyRef": {"name": "carrier", "key": "token"}}}),
        (SECRET, "a text"),
        ("a text", SECRET),
        ("a text", ""),
    ],
)
def test_a_variable_of_a_service_replaces_the_common_one_as_a_whole(common: Any, own: Any) -> None:
    """A mixture of two sources would be refused by Kubernetes."""
    rendered = strictly(*setting(defaults__env={"TOKEN": common}, services__shipping__env={"TOKEN": own}))
    assert variables(rendered, "Deployment/shipping")["TOKEN"] == (own if isinstance(own, dict) else {"value": own})
    assert variables(rendered, "Deployment/order")["TOKEN"] == (
        common if isinstance(common, dict) else {"value": common}
    )


def test_variables_may_come_from_whole_secrets_and_config_maps() -> None:
    """The chart's own variables win over them, as in Kubernetes."""
    sources = [{"secretRef": {"name": "carrier"}}, {"configMapRef": {"name": "common"}, "prefix": "X_"}]
    rendered = strictly(*setting(defaults__envFrom=sources))
    for pod in (*(f"Deployment/{name}" for name in SERVICES), *JOBS):
        assert pods(rendered)[pod]["containers"][0]["envFrom"] == sources


def test_the_certificate_authority_of_a_company_reaches_whoever_opens_connections() -> None:
    """Services and the jobs that connect get it; all still satisfy Pod Security `restricted`."""
    rendered = strictly(*(word for name, value in CA.items() for word in setting(**{f"defaults__{name}": value})))
    for name in (*(f"Deployment/{name}" for name in SERVICES), *JOBS):
        pod = pods(rendered)[name]
        assert CA["extraVolumes"][0] in pod["volumes"]
        assert CA["extraVolumeMounts"][0] in pod["containers"][0]["volumeMounts"]
        assert variables(rendered, name)["SSL_CERT_FILE"] == {"value": "/company/ca.crt"}
    assert {name: restricted(pod) for name, pod in pods(rendered).items()} == {name: [] for name in pods(rendered)}


PLACING: dict[str, Any] = {
    "nodeSelector": {"pool": "flow"},
    "tolerations": [{"key": "flow", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "important",
}


@pytest.mark.parametrize("name", PLACING)
def test_every_pod_of_the_chart_is_where_it_may_be(name: str) -> None:
    """On tainted nodes no pod would start without it, so no hook would ever end."""
    rendered = strictly(*setting(**{f"defaults__{name}": PLACING[name]}))
    assert set(pods(rendered)) == OF_THE_CHART | {f"Deployment/{service}" for service in SERVICES}
    assert [pod for pod, spec in pods(rendered).items() if spec.get(name) != PLACING[name]] == []


def test_the_pods_of_one_service_may_be_elsewhere() -> None:
    """Only those."""
    rendered = strictly(*setting(services__order__affinity=PLACING["affinity"]))
    assert [name for name, pod in pods(rendered).items() if "affinity" in pod] == ["Deployment/order"]


def test_pods_may_be_spread_over_more_than_zones_and_nodes() -> None:
    """The constraints select the service's pods, unless they name others."""
    rack = {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    others = rack | {"topologyKey": "row", "labelSelector": {"matchLabels": {"a": "b"}}}
    rendered = strictly(*setting(defaults__topologySpreadConstraints=[rack, others]))
    for service in SERVICES:
        *_, first, second = pods(rendered)[f"Deployment/{service}"]["topologySpreadConstraints"]
        selector = of_kind(rendered, "Deployment")[service]["spec"]["selector"]
        assert (first, second) == (rack | {"labelSelector": selector}, others)


AWS = ["--values", str(CHART / "values/aws.yaml"), *setting(broker__aws__credentialsSecretName="aws")]


def collisions() -> list[tuple[str, dict[str, Any], str]]:
    """Return values that collide with the rendered chart, each with the duplicate name."""
    pod = of_kind(place(*AWS), "Deployment")["billing"]["spec"]["template"]
    return [
        *(("podLabels", {key: "mine"}, key) for key in pod["metadata"]["labels"]),
        *(("podAnnotations", {key: "mine"}, key) for key in pod["metadata"]["annotations"]),
        *(("env", {one["name"]: "mine"}, one["name"]) for one in pod["spec"]["containers"][0]["env"]),
        *(("sidecar", {"env": {name: "mine"}}, name) for name in ("AWS_REGION", "AWS_ACCESS_KEY_ID")),
    ]


def test_a_name_that_the_chart_sets_itself_is_refused(tmp_path: Path) -> None:
    """Of two labels, annotations or variables with one name, it would be unclear which one counts."""
    tried = collisions()
    assert len(tried) > 30
    file = tmp_path / "mine.json"
    for name, mine, twice in tried:
        file.write_text(json.dumps({"services": {"billing": {name: mine}}}))
        told = refusal(*AWS, "--values", str(file))
        assert f"of billing sets {twice}, which the chart sets itself" in told, (name, twice, told)


@pytest.mark.parametrize(
    ("name", "mine"),
    [
        ("podAnnotations", {"dapr.io/log-level": "debug"}),
        ("podLabels", {"app.kubernetes.io/name": "mine"}),
        ("env", {"APP_PORT": "9000"}),
        ("env", {"APP_PORT": SECRET}),
        ("env", {"BROKER_ADDRESS": "mine"}),
        ("env", {"CHOREOGRAPHY_DATABASE": "mine"}),
        ("env", {"CHOREOGRAPHY_SCHEMA": "mine"}),
    ],
)
def test_such_a_name_is_refused_for_all_services_as_well(name: str, mine: dict[str, Any]) -> None:
    """The message says where the chart sets it, and comes before the API server's."""
    assert "which the chart sets itself" in refusal(*setting(**{f"defaults__{name}": mine}))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"extraVolumes": [{"name": "tmp", "emptyDir": {}}]}, "sets tmp"),
        ({"extraVolumes": [{"name": "database", "emptyDir": {}}]}, "sets database"),
        ({"extraVolumes": [{"name": "a", "emptyDir": {}}] * 2}, "has a twice"),
        ({**CA, "extraVolumeMounts": [{"name": "company-ca", "mountPath": "/app/"}]}, "sets /app"),
        ({**CA, "extraVolumeMounts": CA["extraVolumeMounts"] * 2}, "has /company twice"),
        ({"extraVolumeMounts": CA["extraVolumeMounts"]}, "there is no such volume"),
        (
            {
                "topologySpreadConstraints": [
                    {"topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
                ]
            },
            "Set spread",
        ),
        (
            {"topologySpreadConstraints": [{"topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}] * 2},
            "has rack with DoNotSchedule twice",
        ),
    ],
)
def test_what_could_not_be_placed_is_refused(values: dict[str, Any], told: str) -> None:
    """The message says what exists already, and what to do."""
    words = [word for name, value in values.items() for word in setting(**{f"defaults__{name}": value})]
    assert told in " ".join(refusal(*words).split())


@pytest.mark.parametrize("part", ["broker", "store"])
def test_a_setting_of_a_component_is_not_given_twice(part: str) -> None:
    """The file's setting is replaced; of two of the user's, it would be unclear which one counts."""
    twice = [{"name": "redisPassword", "value": "a"}, {"name": "redisPassword", "value": "b"}]
    by_sidecar = setting(store__kind="postgres-by-dapr")
    assert "sets redisPassword twice" in refusal(*by_sidecar, *setting(**{f"{part}__metadata": twice}))
    strictly(*by_sidecar, *setting(**{f"{part}__metadata": twice[:1]}))


def maps(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return every map whose keys are the user's."""
    if schema.get("additionalProperties") not in (None, False) and path != ("services",):
        return [path]
    found = schema.get("properties", {}).items()
    return [one for name, below in found for one in maps(below, (*path, name))]


OPEN = [
    *maps({"properties": SCHEMA["properties"]}),
    *(("defaults", *path) for path in maps(SCHEMA["$defs"]["defaults"])),
]


def test_every_map_of_a_user_is_known_to_these_tests() -> None:
    """A new one must be merged or refused as well."""
    assert sorted(".".join(path) for path in OPEN) == [
        "defaults.affinity",
        "defaults.env",
        "defaults.nodeSelector",
        "defaults.podAnnotations",
        "defaults.podLabels",
        "defaults.serviceAccountAnnotations",
        "defaults.sidecar.env",
        "monitoring.dashboard.labels",
        "monitoring.labels",
        "outsides",
        "serviceAccount.annotations",
    ]


OURS = ["app.kubernetes.io/name", "app.kubernetes.io/part-of", "app.kubernetes.io/instance", "grafana_dashboard"]


@pytest.mark.parametrize("path", ["monitoring.labels", "monitoring.dashboard.labels", "serviceAccount.annotations"])
def test_labels_of_what_is_no_pod_are_merged(path: str) -> None:
    """Only the user's tools select these by labels, so the user's value wins; each label appears once."""
    switches = {f"monitoring__{one}__enabled": True for one in ("serviceMonitor", "podMonitor", "rules", "dashboard")}
    mine = dict.fromkeys(OURS, "mine")
    rendered = strictly(*setting(**switches, **{path.replace(".", "__"): mine}))
    held = [one["metadata"] for one in rendered]
    assert any(mine.items() <= {**one.get("labels", {}), **one.get("annotations", {})}.items() for one in held)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("env", {"A=B": "x"}),
        ("env", {"1A": "x"}),
        ("env", {"A": 5}),
        ("env", {"A": {"valueFrom": {}}}),
        ("env", {"A": {"value": "x"}}),
        ("env", {"A": {"valueFrom": {"secretKeyRef": {}, "fieldRef": {}}}}),
        ("envFrom", [{"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}]),
        ("envFrom", [{"secret": {"name": "a"}}]),
        ("extraVolumes", [{"name": "a", "hostPath": {"path": "/"}}]),
        ("extraVolumes", [{"emptyDir": {}}]),
        ("extraVolumeMounts", [{"name": "a"}]),
        ("affinity", {"nodeAffinities": {}}),
        ("affinity", []),
        ("sidecar", {"env": {"GOGC": "1,2"}}),
        ("topologySpreadConstraints", [{}]),
    ],
)
def test_what_no_pod_could_have_is_refused_by_the_schema(name: str, wrong: Any) -> None:
    """Otherwise Kubernetes would refuse or misread it in the cluster."""
    for values in ({"defaults": {name: wrong}}, {"services": {"order": {name: wrong}}}):
        assert list(jsonschema.Draft7Validator(SCHEMA).iter_errors(values))
