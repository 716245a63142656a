"""The files that go to a cluster beside the chart: the image, and a cluster for development."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography import provision
from choreography.flow import services_of
from choreography.stores.address import schema_of
from choreography.stores.logins import Login
from tests.unit.helm.placing import CHART, ROOT, pods, restricted

K8S = ROOT / "k8s"
MANIFESTS = sorted(path for path in (K8S / "dependencies").rglob("*.yaml") if path.name != "kustomization.yaml")
OVERLAYS = sorted((K8S / "overlays").glob("*/kustomization.yaml"))
BROKERS = ("redis", "kafka", "rabbitmq", "nats")


def documents(path: Path) -> list[dict[str, Any]]:
    """Read a file of manifests."""
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def pins(name: str) -> dict[str, str]:
    """Return the versions that a lock file pins."""
    return dict(re.findall(r"^([a-zA-Z0-9_.-]+)==([^ ]+) ", (ROOT / name).read_text(), re.MULTILINE))


def resources(overlay: Path) -> Iterator[Path]:
    """Yield every folder that an overlay takes together, also those that it takes by another."""
    for name in yaml.safe_load(overlay.read_text()).get("resources", []):
        place = (overlay.parent / name).resolve()
        if place.is_dir():
            yield place
            yield from resources(place / "kustomization.yaml")


def test_the_image_holds_what_was_tested() -> None:
    """Every version in the image is the version that the tests use."""
    image, tested = pins("locks/requirements-image.txt"), pins("locks/requirements-dev.txt")
    assert image
    assert image == {name: tested[name] for name in image}
    assert "moto" not in image
    assert "pytest" not in image


def test_the_image_holds_every_client_that_provisioning_imports() -> None:
    """It runs in the cluster, where nothing can be installed."""
    names = {"aio_pika": "aio-pika", "nats": "nats-py", "botocore": "botocore"}
    imported = {
        alias.split(".")[0]
        for path in Path(provision.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for alias in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    clients = imported & {"aio_pika", "aiobotocore", "aiokafka", "botocore", "nats"}
    assert len(clients) == 5
    assert {names.get(client, client) for client in clients} <= pins("locks/requirements-image.txt").keys()


def test_the_image_is_built_from_pinned_wheels_and_runs_as_a_number() -> None:
    """The build runs no foreign code, and Kubernetes can see that the user is not root."""
    text = (ROOT / "Dockerfile").read_text()
    installs = [line for line in text.replace("\\\n", " ").splitlines() for _ in re.findall(r"pip [^&]*install", line)]
    assert len(installs) == 2
    assert all("--require-hashes" in line and "--only-binary :all:" in line for line in installs)
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["65532:65532"]
    assert text.count("FROM ${BASE}") == 2


def test_every_lock_file_has_a_hash_for_everything_and_no_address() -> None:
    """The person who installs chooses the registry."""
    for path in ROOT.glob("locks/*.txt"):
        text = path.read_text()
        assert "://" not in text, path.name
        assert re.findall(r"^[a-zA-Z0-9_.-]+==.*[^\\]$", text, re.MULTILINE) == [], path.name


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: str(path.parent.name))
def test_every_dependency_is_a_pinned_official_image_in_a_restricted_pod(path: Path) -> None:
    """The namespace refuses others, and `latest` is another program tomorrow."""
    for name, pod in pods(documents(path)).items():
        assert restricted(pod) == [], name
        assert pod["automountServiceAccountToken"] is False
        for container in pod["containers"]:
            image, _, tag = container["image"].partition(":")
            assert re.match(r"\d+\.\d+", tag), container["image"]
            assert "bitnami" not in image
            assert container["resources"]["limits"]["memory"]
            assert container["readinessProbe"]


def test_what_must_survive_a_crash_is_on_disk_before_it_is_acknowledged() -> None:
    """A broker that is merely quick would make the guarantee a lie."""
    redis = (K8S / "dependencies/redis/redis.yaml").read_text()
    assert '[--appendonly, "yes", --appendfsync, always' in redis
    assert "sync_interval: always" in (K8S / "dependencies/nats/nats.yaml").read_text()
    postgres = (K8S / "dependencies/postgres/postgres.yaml").read_text()
    assert "fsync=off" not in postgres
    assert "synchronous_commit=off" not in postgres


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: str(path.parent.name))
def test_an_overlay_holds_one_broker_the_store_and_what_they_need(overlay: Path) -> None:
    """Every folder that it refers to exists."""
    taken = set(resources(overlay))
    assert all((place / "kustomization.yaml").is_file() for place in taken)
    dependencies = {place.name for place in taken if place.parent == K8S / "dependencies"}
    broker = overlay.parent.name.removesuffix("-flow")
    assert dependencies == {broker, "policy", "postgres", "zipkin"}
    assert K8S / "secrets" in taken
    assert (K8S / "flow" / broker in taken) == overlay.parent.name.endswith("-flow")


def test_there_is_an_overlay_and_a_skaffold_profile_for_every_broker() -> None:
    """Choosing one is one word."""
    assert {path.parent.name for path in OVERLAYS} == {*BROKERS, *(f"{broker}-flow" for broker in BROKERS)}
    configs = {one["metadata"]["name"]: one for one in documents(ROOT / "skaffold.yaml")}
    assert configs["dependencies"]["manifests"]["kustomize"]["paths"] == ["k8s/overlays/redis"]
    for config in ("dependencies", "flow"):
        named = {profile["name"]: profile for profile in configs[config]["profiles"]}
        for broker in BROKERS[1:]:
            assert broker in named[broker]["patches"][0]["value"]


def test_every_path_that_skaffold_names_is_there() -> None:
    """Skaffold would report the mistake only after it had built everything before."""
    named = re.findall(r"(?:k8s|helm/choreography)[/\w.-]*", (ROOT / "skaffold.yaml").read_text())
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_no_tag_that_skaffold_gives_can_be_taken_for_a_number() -> None:
    """A commit that is known by seven digits would be the number 4372793 to Helm, and the chart refuses numbers."""
    [flow] = [one for one in documents(ROOT / "skaffold.yaml") if one["metadata"]["name"] == "flow"]
    assert flow["build"]["tagPolicy"]["gitCommit"]["prefix"][0].isalpha()


def test_no_secret_is_in_the_repository() -> None:
    """Secrets of a development cluster are generated on the machine that uses them."""
    tracked = subprocess.run(["git", "ls-files", "k8s"], cwd=ROOT, capture_output=True, text=True, check=True)
    paths = [ROOT / path for path in tracked.stdout.split()]
    assert not [path for path in paths if path.suffix == ".env"]
    manifests = [one for path in paths if path.suffix == ".yaml" for one in documents(path)]
    assert not [one for one in manifests if one.get("kind") == "Secret"]


def test_secrets_are_drawn_once_and_differ_between_checkouts(tmp_path: Path) -> None:
    """A second generation would lock clients out of the servers."""
    drawn = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "make").write_text((K8S / "secrets/make").read_text())
        for _ in range(2):
            subprocess.run(["bash", str(folder / "make")], check=True, capture_output=True)
            drawn.append((folder / "database.env").read_text())
    assert drawn[0] == drawn[1]
    assert drawn[2] == drawn[3]
    assert drawn[0] != drawn[2]


def test_every_secret_that_is_generated_is_made_with_the_keys_that_are_asked_for(tmp_path: Path) -> None:
    """The chart refers to Secrets by name and key."""
    (tmp_path / "make").write_text((K8S / "secrets/make").read_text())
    subprocess.run(["bash", str(tmp_path / "make")], check=True, capture_output=True)
    generated = yaml.safe_load((K8S / "secrets/kustomization.yaml").read_text())["secretGenerator"]
    texts = {one["name"]: "".join((tmp_path / file).read_text() for file in one["envs"]) for one in generated}
    keys = {name: {line.split("=", 1)[0] for line in text.splitlines()} for name, text in texts.items()}
    asked = set()
    for broker in BROKERS:
        facts = yaml.safe_load((CHART / f"files/brokers/{broker}/facts.yaml").read_text())
        asked |= {facts["address"], facts["scaling"]["key"]}
    assert keys["choreography-broker"] == asked
    values = yaml.safe_load((ROOT / "helm/choreography/values.yaml").read_text())
    database = values["defaults"]["database"]
    assert keys[database["secretName"]] == values["services"].keys()
    assert keys[database["ownerSecretName"]] == {database["ownerKey"]}
    assert keys["choreography-api-token"] == keys["choreography-app-token"] == {"token"}
    assert keys["postgres"] == {"POSTGRES_PASSWORD"}


def test_secrets_of_an_older_checkout_are_completed_and_kept(tmp_path: Path) -> None:
    """The servers in the cluster still use the old passwords."""
    (tmp_path / "make").write_text((K8S / "secrets/make").read_text())
    (tmp_path / "postgres.env").write_text("POSTGRES_PASSWORD=of-before\n")
    subprocess.run(["bash", str(tmp_path / "make")], check=True, capture_output=True)
    assert (tmp_path / "postgres.env").read_text() == "POSTGRES_PASSWORD=of-before\n"
    assert "choreography:of-before@postgres:5432" in (tmp_path / "database-owner.env").read_text()


def test_each_service_of_the_development_cluster_has_a_login_of_its_own(tmp_path: Path) -> None:
    """Its name is that of the schema, as on a laptop; no two share a password, and none is the owner."""
    (tmp_path / "make").write_text((K8S / "secrets/make").read_text())
    subprocess.run(["bash", str(tmp_path / "make")], check=True, capture_output=True)
    lines = (tmp_path / "database.env").read_text().splitlines()
    logins = [Login.read(url, name) for name, url in (line.split("=", 1) for line in lines)]
    names = [service.name for service in services_of("apps.checkout")]
    assert {login.role for login in logins} == {schema_of("checkout", name) for name in names}
    assert len({login.password for login in logins}) == len(names)
    assert "choreography" not in {login.role for login in logins}


def test_what_provisioning_needs_can_be_installed_without_what_tests_need() -> None:
    """An AWS emulator does not belong in an image."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {extra: {re.split(r"[\[>=]", one)[0] for one in extras[extra]} for extra in ("provision", "brokers")}
    assert names["provision"] == {"aio-pika", "aiobotocore", "aiokafka", "nats-py", "redis"}
    assert "moto" in names["brokers"]
    assert not names["provision"] & names["brokers"]


def test_whoever_needs_a_server_is_let_through_to_it_and_nobody_else() -> None:
    """Jobs of the chart are no services; the provisioning job may not reach the database."""
    policies = {one["metadata"]["name"]: one["spec"] for one in documents(K8S / "dependencies/policy/policy.yaml")}
    assert "ingress" not in policies["choreography-dependencies"]
    jobs = re.findall(r'"choreography.brokerJob" \(list \. "(\w+)"', _templates())
    assert sorted(jobs) == ["drain", "provision"]
    admitted = {}
    for name in ("broker", "database", "traces"):
        selector = policies[f"choreography-{name}"]["ingress"][0]["from"][0]["podSelector"]
        labels = selector.get("matchLabels", {}).values()
        admitted[name] = {*labels, *(one for how in selector.get("matchExpressions", []) for one in how["values"])}
    assert admitted == {"broker": {"service", *jobs}, "database": {"service", "migrate"}, "traces": {"service"}}


def _templates() -> str:
    return "".join(path.read_text() for path in (ROOT / "helm/choreography/templates").glob("*.yaml"))


def test_pods_get_sidecars_in_the_namespace_of_the_flow_and_hold_up_no_other() -> None:
    """An injector that every pod of a cluster waits for keeps its network from coming back."""
    asked = yaml.safe_load((K8S / "dapr-values.yaml").read_text())["dapr_sidecar_injector"]["namespaceSelector"]
    (namespace,) = documents(K8S / "namespace/namespace.yaml")
    assert asked["matchLabels"].items() <= namespace["metadata"]["labels"].items()
    assert "matchExpressions" not in asked
