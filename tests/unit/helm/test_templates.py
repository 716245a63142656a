"""The objects that the chart places, as Helm renders them."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography.check import refuse_unsafe
from choreography.flow import services_of
from choreography.provision import layout_of
from choreography.render import render
from choreography.render.brokers import BROKERS
from tests.unit.helm.placing import CHART, ROOT, Rendered, of_kind, place, pods, refusal, restricted, setting, template

pytestmark = pytest.mark.helm

FLOW = "apps.checkout"
SERVICES = services_of(FLOW)
NAMES = [service.name for service in SERVICES]
IN_CLUSTER = ("redis", "kafka", "rabbitmq", "nats")
DAPR = ("Component", "Configuration", "Resiliency", "Subscription")


def on(broker: str, *words: str) -> Rendered:
    """Place the chart on a broker, with that broker's values file."""
    return place("--values", f"helm/choreography/values/{broker}.yaml", *words)


def only_sidecars(resource: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a resource that a sidecar reads."""
    return {key: value for key, value in resource.items() if key not in ("metadata", "apiVersion", "kind")}


def told_to_injector(rendered: Rendered, service: str) -> dict[str, str]:
    """Return the annotations of a service for Dapr's injector."""
    template_ = of_kind(rendered, "Deployment")[service]["spec"]["template"]
    return dict(template_["metadata"]["annotations"])


def environment(rendered: Rendered, service: str) -> dict[str, str]:
    """Return the environment variables of a service that are plain texts."""
    container = pods(rendered)[f"Deployment/{service}"]["containers"][0]
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


@pytest.mark.parametrize("broker", sorted(BROKERS))
@pytest.mark.parametrize("store", ["postgres", "mysql"])
def test_every_pod_is_one_that_pod_security_restricted_admits(broker: str, store: str) -> None:
    """Services, the stand-in, the hook and the test comply, and their sidecars are asked to."""
    rendered = on(broker, *setting(store__kind=store, development__reload=store == "mysql"))
    found = pods(rendered)
    assert len(found) == len(NAMES) + 3 + (store == "postgres")
    assert {name: restricted(pod) for name, pod in found.items()} == {name: [] for name in found}
    for pod in found.values():
        assert pod["automountServiceAccountToken"] is False
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod["containers"])
    for service in NAMES:
        told = told_to_injector(rendered, service)
        assert told["dapr.io/sidecar-seccomp-profile-type"] == "RuntimeDefault"
        assert told["dapr.io/api-token-secret"]
        assert told["dapr.io/app-token-secret"]


@pytest.mark.parametrize("broker", sorted(BROKERS))
@pytest.mark.parametrize("store", ["postgres-by-dapr", "mysql"])
def test_sidecars_in_a_cluster_read_what_sidecars_on_a_laptop_read(broker: str, store: str) -> None:
    """The settings are the same, except for the source of addresses."""
    rendered = on(broker, *setting(store__kind=store))
    placed = {(one["kind"], one["metadata"]["name"]): only_sidecars(one) for one in rendered if one["kind"] in DAPR}
    for path, text in render(FLOW, broker=broker, store=store.removesuffix("-by-dapr")).items():
        if "dapr" not in path.parts or path.parent.name not in (broker, store.removesuffix("-by-dapr")):
            continue
        for document in yaml.safe_load_all(text):
            for item in document["spec"].get("metadata", []) if document["kind"] == "Component" else []:
                if not item.get("envRef", "AWS_").startswith("AWS_"):
                    secret = "choreography-store" if path.name == "statestore.yaml" else "choreography-broker"
                    item["secretKeyRef"] = {"name": secret, "key": item.pop("envRef")}
            assert placed.pop((document["kind"], document["metadata"]["name"])) == only_sidecars(document)
    assert set(placed) == {("Configuration", "choreography")}


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_what_is_placed_passes_the_lint_of_components(broker: str, tmp_path: Path) -> None:
    """The chart must not undo the settings that make a broker safe."""
    for place_, one in enumerate(on(broker)):
        if one["kind"] in DAPR:
            (tmp_path / f"{place_}.yaml").write_text(yaml.safe_dump(one))
    refuse_unsafe(tmp_path)


def test_every_service_serves_its_module_under_its_app_id() -> None:
    """The names are those of the declarations."""
    rendered = place()
    for service in NAMES:
        container = pods(rendered)[f"Deployment/{service}"]["containers"][0]
        assert container["command"] == ["choreography", "serve", f"{FLOW}.{service}"]
        assert told_to_injector(rendered, service)["dapr.io/app-id"] == service


def test_leaving_a_service_out_is_one_entry_and_disturbs_nobody() -> None:
    """No pod, no subscription and no abandoned queue is left."""
    rendered = place(*setting(services__notification=None))
    assert "notification" not in of_kind(rendered, "Deployment")
    assert not [one for one in of_kind(rendered, "Subscription").values() if "notification" in one["scopes"]]
    assert set(of_kind(rendered, "Deployment")) == {*NAMES, "payment-provider"} - {"notification"}


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_the_hook_makes_what_the_services_that_are_there_need(broker: str, tmp_path: Path) -> None:
    """It reads what sidecars read."""
    rendered = on(broker, *setting(services__notification=None))
    (tmp_path / "resources.yaml").write_text(
        of_kind(rendered, "ConfigMap")["checkout-provision"]["data"]["resources.yaml"]
    )
    layout = layout_of(tmp_path)
    assert {app for app, _ in layout.hearers} == set(NAMES) - {"notification"}
    assert layout == layout_of_services(rendered, tmp_path)


def layout_of_services(rendered: Rendered, folder: Path) -> Any:
    """Return the topics and queues that the sidecars of a release need."""
    own = folder / "own"
    own.mkdir()
    for place_, one in enumerate(rendered):
        if one["kind"] in ("Component", "Subscription"):
            (own / f"{place_}.yaml").write_text(yaml.safe_dump(one))
    return layout_of(own)


def test_what_hooks_make_is_removed_by_helm() -> None:
    """Helm does not count it as part of the release, so an uninstallation would leave it behind."""
    hooks = [one for one in place() if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert {one["kind"] for one in hooks} == {"ConfigMap", "Job", "NetworkPolicy", "Pod"}
    for one in hooks:
        assert one["metadata"]["annotations"]["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
    kept = [one for one in place() if "helm.sh/resource-policy" in one["metadata"].get("annotations", {})]
    assert kept == []


IMPOSSIBLE: list[tuple[dict[str, object], str]] = [
    ({"broker__kind": "pulsar"}, "Choose one of aws, eventbridge, kafka, nats-pull, nats, rabbitmq, redis"),
    ({"store__kind": "redis"}, "Choose one of postgres, mysql, postgres-by-dapr"),
    ({"services__refunds__replicas": 1}, "declared are billing, inventory, notification, order, shipping"),
    ({"store__kind": "sqlite"}, "a file that one process may open"),
    ({"store__kind": "sqlite-by-dapr"}, "a file that one process may open"),
    ({"store__metadata": [{"name": "maxConns", "value": "4"}]}, "Write them into the URL"),
    ({"store__kind": "mysql", "store__caSecretName": "ca"}, "which would not see it"),
    ({"migrate__enabled": False, "migrate__makeRoles": True}, "no service could log in"),
    ({"store__kind": "mysql", "migrate__makeRoles": True}, "no service could log in"),
    ({"defaults__autoscaling__mode": "cpu", "defaults__replicas": 2}, "every upgrade would undo"),
    ({"defaults__autoscaling__mode": "lag", "defaults__autoscaling__minReplicas": 9}, "Lower the first or raise"),
    (
        {"broker__kind": "kafka", "provision__partitions": 2, "services__order__replicas": 3},
        "more pods than partitions",
    ),
    ({"defaults__shutdown__terminationSeconds": 20}, "before its sidecar has ended"),
    ({"defaults__shutdown__preStopSeconds": 25}, "before it has ended"),
    ({"paymentProvider__enabled": False}, "nothing says where that is"),
    ({"outsides__payment-provider__url": "https://pay.example.com"}, "only one of them can be called"),
    ({"broker__kind": "eventbridge", "serviceAccount__name": "role"}, "no sidecar would find its component"),
    ({"broker__kind": "nats-pull"}, "broker.natsPull.image names no image"),
    ({"broker__kind": "aws"}, "nobody would be allowed to make them"),
    ({"test__enabled": True, "services__order": None}, "are not both here"),
    ({"outsides__paymentprovider__url": "https://pay.example.com"}, "Known are: payment-provider"),
]


@pytest.mark.parametrize(("values", "told"), IMPOSSIBLE, ids=[told for _, told in IMPOSSIBLE])
def test_what_cannot_be_is_refused_with_a_sentence(values: dict[str, object], told: str) -> None:
    """The message is not the error text of a template."""
    said = refusal(*setting(**values))
    assert told in said
    assert "nil pointer" not in said


def test_a_spelling_mistake_is_refused() -> None:
    """Helm itself refuses it, before anything is placed."""
    assert "replicsa" in refusal(*setting(defaults__replicsa=2))
    assert "maxUnavailable" in refusal(*setting(defaults__disruption__maxUnavailable="lots"))


def test_keda_finds_the_servers_of_kafka_where_it_looks_for_them() -> None:
    """It takes them from the trigger or from a container's environment, and from no Secret."""
    rendered = on("kafka", *setting(defaults__autoscaling__mode="lag"))
    assert not of_kind(rendered, "TriggerAuthentication")
    for name, scaled in of_kind(rendered, "ScaledObject").items():
        container = scaled["spec"]["scaleTargetRef"]["envSourceContainerName"]
        (app,) = [one for one in containers(rendered, name) if one["name"] == container]
        told = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in app["env"] if "valueFrom" in one}
        for trigger in scaled["spec"]["triggers"]:
            assert "authenticationRef" not in trigger
            assert told[trigger["metadata"]["bootstrapServersFromEnv"]]["key"] == "KAFKA_BROKERS"


def containers(rendered: Rendered, service: str) -> list[dict[str, Any]]:
    """Return the containers of a service's pods."""
    found: list[dict[str, Any]] = of_kind(rendered, "Deployment")[service]["spec"]["template"]["spec"]["containers"]
    return found


def test_provisioning_is_let_through_before_it_runs() -> None:
    """Otherwise an upgrade to another broker would run it under the policies of the old broker."""
    rendered = on("nats")
    policy, job = (of_kind(rendered, kind)["checkout-provision"]["metadata"] for kind in ("NetworkPolicy", "Job"))
    assert policy["annotations"]["helm.sh/hook"] == job["annotations"]["helm.sh/hook"]
    assert int(policy["annotations"]["helm.sh/hook-weight"]) < 0


def test_a_pause_of_nothing_is_left_out() -> None:
    """Kubernetes before 1.33 refuses it."""
    rendered = place(*setting(defaults__shutdown__preStopSeconds=0))
    assert not [one for name in NAMES for one in containers(rendered, name) if "lifecycle" in one]


def test_a_provider_that_nobody_calls_is_open_to_nobody() -> None:
    """An empty list of callers would mean everybody."""
    rendered = place(*setting(services__billing=None, test__enabled=False))
    assert "ingress" not in of_kind(rendered, "NetworkPolicy")["payment-provider"]["spec"]


def test_names_can_be_asked_for_where_the_clusters_dns_is() -> None:
    """Not every cluster answers from kube-system on port 53."""
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}}]
    rendered = place(*setting(networkPolicy__dnsPeers=peers, networkPolicy__dnsPorts=[5353]))
    first = of_kind(rendered, "NetworkPolicy")["order"]["spec"]["egress"][0]
    assert first == {"to": peers, "ports": [{"protocol": protocol, "port": 5353} for protocol in ("UDP", "TCP")]}


def test_credentials_of_aws_are_within_reach() -> None:
    """EKS Pod Identity serves them at its own address; with a named Secret no address is needed."""
    for named, reached in (("", True), ("aws", False)):
        words = setting(serviceAccount__name="role", broker__aws__credentialsSecretName=named)
        spec = of_kind(on("aws", *words), "NetworkPolicy")["order"]["spec"]
        blocks = [peer["ipBlock"]["cidr"] for rule in spec["egress"] for peer in rule["to"] if "ipBlock" in peer]
        assert ("169.254.170.23/32" in blocks) is reached


def test_addresses_come_from_the_secrets_that_are_named() -> None:
    """No value holds an address."""
    rendered = on("kafka", *setting(broker__secretName="events", store__kind="mysql", store__secretName="state"))
    metadata = [item for one in of_kind(rendered, "Component").values() for item in one["spec"]["metadata"]]
    named = {item["name"]: item["secretKeyRef"] for item in metadata if "secretKeyRef" in item}
    assert named == {
        "brokers": {"name": "events", "key": "KAFKA_BROKERS"},
        "connectionString": {"name": "state", "key": "STATE_CONNECTION"},
    }
    (job,) = of_kind(rendered, "Job").values()
    assert job["spec"]["template"]["spec"]["containers"][0]["env"] == [
        {"name": "BROKER_ADDRESS", "valueFrom": {"secretKeyRef": {"name": "events", "key": "KAFKA_BROKERS"}}}
    ]


@pytest.mark.parametrize("broker", IN_CLUSTER)
def test_each_sidecar_logs_in_as_its_own_service_where_that_is_asked_for(broker: str) -> None:
    """Its component takes the login from the environment, and each pod has that from a Secret of its own."""
    rendered = on(broker, *setting(broker__userPerService=True, broker__secretName="events"))
    brokers = [one for one in of_kind(rendered, "Component").values() if one["spec"]["type"].startswith("pubsub.")]
    items = [item for one in brokers for item in one["spec"]["metadata"]]
    assert not [item for item in items if "secretKeyRef" in item]
    wanted = {item["envRef"] for item in items if "envRef" in item}
    assert wanted
    for service in NAMES:
        given = dict(
            pair.split("=") for pair in told_to_injector(rendered, service)["dapr.io/env-from-secret"].split(",")
        )
        assert given == {key: f"events-{service}:{key}" for key in wanted}
        account = f"checkout-{service}"
        assert pods(rendered)[f"Deployment/{service}"]["serviceAccountName"] == account
        assert account in of_kind(rendered, "ServiceAccount")


def test_a_login_that_somebody_configures_himself_wins() -> None:
    """He may use certificates instead of passwords; of a duplicate setting only one would be read."""
    mine = {"name": "redisPassword", "secretKeyRef": {"name": "mine", "key": "password"}}
    rendered = place(*setting(broker__userPerService=True, broker__metadata=[mine]))
    items = of_kind(rendered, "Component")["pubsub"]["spec"]["metadata"]
    assert [item for item in items if item["name"] == "redisPassword"] == [mine]
    assert {"name": "redisUsername", "envRef": "REDIS_USERNAME"} in items


def test_each_service_has_a_role_of_its_own_on_aws_where_that_is_asked_for() -> None:
    """The role comes from the pods' service account, or from a Secret of the service."""
    role = {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/checkout.order"}
    words = setting(
        broker__userPerService=True, broker__aws__credentialsSecretName="keys", provision__enabled=False
    ) + setting(services__order__serviceAccountAnnotations=role)
    rendered = place(*setting(broker__kind="aws"), *words)
    assert of_kind(rendered, "ServiceAccount")["checkout-order"]["metadata"]["annotations"] == role
    told = told_to_injector(rendered, "order")["dapr.io/env-from-secret"]
    assert told.split(",")[0] == "AWS_ACCESS_KEY_ID=keys-order:AWS_ACCESS_KEY_ID"


def test_settings_of_a_component_may_be_added_and_replaced() -> None:
    """Users configure login and TLS; of a duplicate setting only one would be read."""
    login = {"name": "redisPassword", "secretKeyRef": {"name": "mine", "key": "password"}}
    deeper = {"name": "queueDepth", "value": "300"}
    rendered = place(*setting(broker__metadata=[login, deeper]))
    items = of_kind(rendered, "Component")["pubsub"]["spec"]["metadata"]
    named = [item["name"] for item in items]
    assert len(named) == len(set(named))
    assert login in items
    assert deeper in items


def test_tokens_are_made_unless_they_are_named() -> None:
    """Both tokens are made, differ, and are given to both sides."""
    made = of_kind(place(), "Secret")
    texts = {name: base64.b64decode(secret["data"]["token"]).decode() for name, secret in made.items()}
    assert set(texts) == {"checkout-api-token", "checkout-app-token"}
    assert {len(text) for text in texts.values()} == {48}
    assert len(set(texts.values())) == 2
    named = place(*setting(tokens__apiSecretName="one", tokens__appSecretName="two"))
    assert of_kind(named, "Secret") == {}
    for service in NAMES:
        told = told_to_injector(named, service)
        assert (told["dapr.io/api-token-secret"], told["dapr.io/app-token-secret"]) == ("one", "two")
        container = pods(named)[f"Deployment/{service}"]["containers"][0]
        given = {
            one["name"]: one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "valueFrom" in one
        }
        assert given == {"DAPR_API_TOKEN": "one", "APP_API_TOKEN": "two"}


def test_two_renderings_differ_in_the_tokens_only() -> None:
    """Otherwise an upgrade would restart unchanged pods."""
    words = setting(tokens__apiSecretName="one", tokens__appSecretName="two")
    assert template(*words).stdout == template(*words).stdout


def test_a_service_grows_by_cpu_or_by_what_waits_for_it() -> None:
    """Its Deployment then has no replica count of its own."""
    by_cpu = place(*setting(services__order__autoscaling__mode="cpu", services__order__autoscaling__maxReplicas=4))
    (scaler,) = of_kind(by_cpu, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["metrics"][0]["containerResource"]["container"] == "app"
    assert scaler["spec"]["maxReplicas"] == 4
    assert "replicas" not in of_kind(by_cpu, "Deployment")["order"]["spec"]
    assert of_kind(by_cpu, "Deployment")["billing"]["spec"]["replicas"] == 1
    by_lag = on("nats", *setting(defaults__autoscaling__mode="lag"))
    scaled = of_kind(by_lag, "ScaledObject")
    assert set(scaled) == set(NAMES)
    assert {trigger["metadata"]["stream"] for trigger in scaled["billing"]["spec"]["triggers"]} == {
        "checkout_order_created",
        "checkout_order_cancelled",
        "checkout_billing-intents",
    }
    (where,) = of_kind(by_lag, "TriggerAuthentication").values()
    assert where["spec"]["secretTargetRef"] == [
        {
            "parameter": "natsServerMonitoringEndpoint",
            "name": "choreography-broker",
            "key": "natsServerMonitoringEndpoint",
        }
    ]


@pytest.mark.parametrize(
    ("exporter", "tracing", "endpoint"),
    [
        (
            "zipkin",
            {"samplingRate": "1", "zipkin": {"endpointAddress": "http://zipkin:9411/api/v2/spans"}},
            "http://zipkin:9411/api/v2/spans",
        ),
        (
            "otlp",
            {
                "samplingRate": "1",
                "otel": {"endpointAddress": "otel-collector:4317", "protocol": "grpc", "isSecure": False},
            },
            "http://otel-collector:9411/api/v2/spans",
        ),
        ("none", {"samplingRate": "0"}, None),
    ],
)
def test_one_value_says_where_traces_go(exporter: str, tracing: dict[str, Any], endpoint: str | None) -> None:
    """The value holds for sidecars and for services."""
    rendered = place(*setting(tracing__exporter=exporter))
    spec = of_kind(rendered, "Configuration")["choreography"]["spec"]
    assert spec == {"tracing": tracing, "metrics": {"enabled": True, "http": {"increasedCardinality": False}}}
    assert environment(rendered, "order").get("ZIPKIN_ENDPOINT") == endpoint


def test_where_topics_have_components_of_their_own_services_are_told() -> None:
    """NATS has one for each topic."""
    assert environment(on("nats"), "order")["CHOREOGRAPHY_PUBSUB"] == "pubsub-{topic}"
    assert environment(on("redis"), "order")["CHOREOGRAPHY_PUBSUB"] == "pubsub"


@pytest.mark.parametrize(
    ("broker", "image", "variable"),
    [
        ("eventbridge", "example.com/eventbridge-component:0.3.0", "EVENTBRIDGE_SIDECAR"),
        ("nats-pull", "example.com/nats-pull-component:0.1.0", "NATS_PULL_SIDECAR"),
    ],
)
def test_a_component_of_ours_runs_beside_each_sidecar(broker: str, image: str, variable: str) -> None:
    """Dapr's injector adds it; it knows its sidecar, and ends after it."""
    rendered = on(broker)
    assert told_to_injector(rendered, "order")["dapr.io/inject-pluggable-components"] == "true"
    component = of_kind(rendered, "Component")["pubsub"]
    container = json.loads(component["metadata"]["annotations"]["dapr.io/component-container"])
    assert (container["name"], container["image"]) == (broker, image)
    assert {one["name"]: one.get("value") for one in container["env"]}[variable] == "http://127.0.0.1:3500"
    assert ("AWS_REGION" in {one["name"] for one in container["env"]}) is (broker == "eventbridge")
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
    assert "dapr.io/inject-pluggable-components" not in told_to_injector(on("redis"), "order")


@pytest.mark.parametrize("broker", ["redis", "nats", "nats-pull", "rabbitmq"])
def test_topics_begin_as_the_values_say_wherever_they_are_named(broker: str) -> None:
    """Components, subscriptions, retries, autoscalers and services agree, so releases can share a broker."""
    usual, staging = (
        on(broker, *setting(topicPrefix=prefix, defaults__autoscaling__mode="lag")) for prefix in ("", "staging")
    )
    assert environment(usual, "order")["CHOREOGRAPHY_TOPIC_PREFIX"] == "checkout"
    assert environment(staging, "order")["CHOREOGRAPHY_TOPIC_PREFIX"] == "staging"
    for kind in ("Component", "Subscription", "ScaledObject", "Resiliency"):
        text = yaml.safe_dump_all(of_kind(staging, kind).values())
        assert "checkout.order" not in text
        assert "checkout_order" not in text
        assert "the-topic-prefix" not in text
    topics = {one["spec"]["topic"] for one in of_kind(staging, "Subscription").values()}
    assert "staging.order.created" in topics


def test_the_stand_in_misbehaves_as_the_values_say() -> None:
    """Its switches are values, under their own names."""
    rendered = place(*setting(paymentProvider__faults__declineAbove=500, paymentProvider__faults__errorRate=0.25))
    faults = yaml.safe_load(environment(rendered, "payment-provider")["PROVIDER_FAULTS"])
    assert faults == {
        "decline_above": 500,
        "decline_rate": 0,
        "delay_ms": 0,
        "error_rate": 0.25,
        "hang_after_charge_rate": 0,
        "hang_ms": 0,
        "down": False,
    }


def test_a_real_provider_takes_the_place_of_the_stand_in() -> None:
    """The release test then places no order, because it would move real money."""
    words = setting(paymentProvider__enabled=False)
    rendered = place(*words, "--set", "outsides.payment-provider.url=https://pay.example.com/v1")
    assert "payment-provider" not in of_kind(rendered, "Deployment")
    assert environment(rendered, "billing")["OUTSIDE_PAYMENT_PROVIDER"] == "https://pay.example.com/v1"
    assert of_kind(rendered, "Pod") == {}
    egress = of_kind(rendered, "NetworkPolicy")["billing"]["spec"]["egress"]
    assert {"to": [{"ipBlock": {"cidr": "0.0.0.0/0"}}], "ports": [{"protocol": "TCP", "port": 443}]} in egress


def test_a_pod_ends_in_the_order_in_which_nothing_is_lost() -> None:
    """Deliveries stop, the sidecar still commits, the process ends, then the kubelet may kill."""
    rendered = place()
    told, pod = told_to_injector(rendered, "order"), pods(rendered)["Deployment/order"]
    block = int(told["dapr.io/block-shutdown-duration"].removesuffix("s"))
    graceful = int(told["dapr.io/graceful-shutdown-seconds"])
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pause < block
    assert pod["terminationGracePeriodSeconds"] > max(block + graceful, pause + 20)


def test_production_spreads_grows_and_calls_somebody() -> None:
    """Production has at least two pods of each service, in several zones, with alerts."""
    words = ["--values", "helm/choreography/values-production.yaml"]
    rendered = on("kafka", *words, "--set", "outsides.payment-provider.url=https://pay.example.com")
    assert {one["spec"]["minReplicaCount"] for one in of_kind(rendered, "ScaledObject").values()} == {2}
    zones = pods(rendered)["Deployment/order"]["topologySpreadConstraints"]
    assert {one["topologyKey"]: one["whenUnsatisfiable"] for one in zones} == {
        "kubernetes.io/hostname": "ScheduleAnyway",
        "topology.kubernetes.io/zone": "DoNotSchedule",
    }
    assert of_kind(rendered, "PrometheusRule")["checkout"]["spec"]["groups"]
    assert set(of_kind(rendered, "PodDisruptionBudget")) == set(NAMES)


@pytest.mark.parametrize("broker", IN_CLUSTER)
def test_the_files_for_those_without_helm_are_the_chart(broker: str) -> None:
    """`make manifests` places it without a release: it generates no password, and omits Helm's own objects."""
    rendered = on(broker, "--values", "k8s/flow/values.yaml")
    assert set(of_kind(rendered, "Deployment")) == {*NAMES, "payment-provider"}
    assert not of_kind(rendered, "Secret")
    assert not of_kind(rendered, "Pod")
    kustomization = yaml.safe_load((ROOT / f"k8s/flow/{broker}/kustomization.yaml").read_text())
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"k8s/flow/$$broker/{name}" in makefile for name in kustomization["resources"])


def test_every_template_is_placed_by_some_values() -> None:
    """A template that no values reach is not tested."""
    everything = setting(
        intake="closed",
        monitoring__serviceMonitor__enabled=True,
        monitoring__podMonitor__enabled=True,
        monitoring__rules__enabled=True,
        monitoring__dashboard__enabled=True,
        services__order__autoscaling__mode="cpu",
        services__billing__autoscaling__mode="lag",
    )
    text = template(*everything).stdout
    for path in (CHART / "templates").rglob("*.yaml"):
        shown = f"# Source: choreography/{path.relative_to(CHART)}"
        assert (shown in text) == (path.name != "validation.yaml"), path
