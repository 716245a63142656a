"""The databases of services: each logs in from a Secret of its own, and tables are made before a roll-out."""

from __future__ import annotations

from typing import Any

import pytest

from choreography.cli import app
from choreography.flow import services_of
from choreography.render.brokers import BROKERS
from choreography.stores.address import DatabaseAddress, schema_of
from tests.unit.helm.placing import Rendered, of_kind, place, pods, refusal, restricted, setting
from tests.unit.helm.test_policies import reaches
from tests.unit.helm.test_templates import environment, on

pytestmark = pytest.mark.helm

SERVICES = services_of("apps.checkout")
NAMES = [service.name for service in SERVICES]
JOB = "Job/checkout-migrate"


def secrets_of(volume: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the files of a volume, each with the name and the key of its Secret."""
    sources = [one["secret"] for one in volume["projected"]["sources"]] if "projected" in volume else [volume["secret"]]
    return {
        item["path"]: (one.get("name") or one["secretName"], item["key"]) for one in sources for item in one["items"]
    }


def volumes(rendered: Rendered, pod: str) -> dict[str, dict[str, Any]]:
    """Return the volumes of a pod by name, each with where it is mounted; all of these can only be read."""
    spec = pods(rendered)[pod]
    mounts = {one["name"]: one for one in spec["containers"][0]["volumeMounts"]}
    return {one["name"]: one | {"at": mounts[one["name"]]["mountPath"]} for one in spec["volumes"]}


def words(rendered: Rendered) -> list[str]:
    """Return the command of the job that makes tables."""
    command: list[str] = pods(rendered)[JOB]["containers"][0]["command"]
    return command


def after(words_: list[str], option: str) -> list[str]:
    """Return the value after each use of an option."""
    return [words_[place + 1] for place, word in enumerate(words_) if word == option]


def test_a_password_of_a_database_is_in_files_and_in_no_environment() -> None:
    """Child processes and some users of the machine can read a process's environment."""
    rendered = place()
    for pod in (*(f"Deployment/{name}" for name in NAMES), JOB):
        container = pods(rendered)[pod]["containers"][0]
        assert not [one for one in container["env"] if "database" in str(one.get("valueFrom", ""))]
    for name in NAMES:
        found = volumes(rendered, f"Deployment/{name}")["database"]
        assert environment(rendered, name)["CHOREOGRAPHY_DATABASE_FILE"] == f"{found['at']}/url"
        assert secrets_of(found) == {"url": ("choreography-database", name)}
        assert found["secret"]["defaultMode"] == 0o440


def test_services_of_two_teams_have_two_databases() -> None:
    """A service may name its own Secrets; the owner of one service's tables need not own another's."""
    own = {"secretName": "money", "key": "url", "ownerSecretName": "money-owner", "ownerKey": "admin"}
    rendered = place(*setting(services__billing__database=own))
    assert secrets_of(volumes(rendered, "Deployment/billing")["database"]) == {"url": ("money", "url")}
    assert secrets_of(volumes(rendered, "Deployment/order")["database"]) == {"url": ("choreography-database", "order")}
    job = volumes(rendered, JOB)
    owners, logins = secrets_of(job["owners"]), secrets_of(job["logins"])
    assert (owners["billing"], logins["billing"]) == (("money-owner", "admin"), ("money", "url"))
    assert (owners["order"], logins["order"]) == (
        ("choreography-database-owner", "url"),
        ("choreography-database", "order"),
    )


def test_only_the_job_has_the_login_of_the_owner() -> None:
    """An attacker in a service can read and write its rows, but change no table."""
    rendered = place()
    holders = [name for name, pod in pods(rendered).items() if "choreography-database-owner" in str(pod)]
    assert holders == [JOB]


def test_tables_are_made_before_a_release_is_rolled_out_and_tried_once() -> None:
    """A second try would not help a failed migration, and the log stays readable."""
    rendered = place()
    job = of_kind(rendered, "Job")["checkout-migrate"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert (job["spec"]["backoffLimit"], pods(rendered)[JOB]["restartPolicy"]) == (0, "Never")
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    assert job["spec"]["activeDeadlineSeconds"] > int(after(words(rendered), "--within")[0].removesuffix("s"))
    assert not restricted(pods(rendered)[JOB])


def test_the_job_asks_for_what_its_command_understands() -> None:
    """It names the enabled services, and only existing options."""
    rendered = place(*setting(services__notification=None, migrate__makeRoles=True, migrate__reportingRole="reader"))
    command = words(rendered)
    assert command[:3] == ["choreography", "migrate", "apps.checkout"]
    assert set(after(command, "--service")) == set(NAMES) - {"notification"}
    assert "--make-roles" in command
    assert after(command, "--reporting-role") == ["reader"]
    assert not {"--make-roles", "--reporting-role"} & set(words(place()))
    job = volumes(rendered, JOB)
    assert after(command, "--database-file") == [f"{job['owners']['at']}/{{service}}"]
    assert after(command, "--login-file") == [f"{job['logins']['at']}/{{service}}"]
    (known,) = [one for one in app.registered_commands if one.callback and one.callback.__name__ == "migrate"]
    assert known.callback
    parameters = {f"--{name.replace('_', '-')}" for name in known.callback.__annotations__}
    assert {word for word in command if word.startswith("--")} <= parameters


def test_the_job_and_the_services_mean_the_same_schemas() -> None:
    """This holds also where the topic prefix is not the name of the flow."""
    rendered = place(*setting(topicPrefix="staging-2"))
    told = {one["name"]: one.get("value") for one in pods(rendered)[JOB]["containers"][0]["env"]}
    for name in NAMES:
        prefix = environment(rendered, name)["CHOREOGRAPHY_TOPIC_PREFIX"]
        assert told["CHOREOGRAPHY_TOPIC_PREFIX"] == prefix
        assert DatabaseAddress.read("postgresql://x@y/z", schema_of(prefix, name)).schema == f"staging_2_{name}"


def tls(rendered: Rendered) -> dict[str, str]:
    """Return how connections to the database are secured, which is the same in every pod that makes any."""
    found = []
    for pod in (*(f"Deployment/{name}" for name in NAMES), JOB):
        env = pods(rendered)[pod]["containers"][0]["env"]
        found.append({one["name"]: one["value"] for one in env if one["name"].startswith("PGSSL")})
    assert all(one == found[0] for one in found)
    return found[0]


def test_a_database_is_checked_by_its_certificate_unless_somebody_says_otherwise() -> None:
    """The authorities are those of the image, or those of a Secret, also in production."""
    usual = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "/etc/ssl/certs/ca-certificates.crt"}
    assert tls(place()) == usual
    real = ("--set", "outsides.payment-provider.url=https://pay.example.com")
    assert tls(place("--values", "helm/choreography/values-production.yaml", *real)) == usual
    assert tls(place(*setting(store__sslmode="require"))) == {"PGSSLMODE": "require"}
    rendered = place(*setting(store__caSecretName="company"))
    for pod in ("Deployment/order", JOB):
        authorities = volumes(rendered, pod)["database-ca"]
        assert secrets_of(authorities) == {"ca.crt": ("company", "ca.crt")}
        assert tls(rendered)["PGSSLROOTCERT"] == f"{authorities['at']}/ca.crt"


def test_a_component_for_state_is_there_only_if_services_go_by_their_sidecars() -> None:
    """A sidecar without a login for the database cannot leak one."""
    directly, by_sidecar = place(), place(*setting(store__kind="mysql"))
    assert "statestore" not in of_kind(directly, "Component")
    assert "choreography-database" not in str(of_kind(directly, "Component"))
    assert "statestore" in of_kind(by_sidecar, "Component")
    assert JOB not in pods(by_sidecar)
    assert "checkout-migrate" not in of_kind(by_sidecar, "NetworkPolicy")
    for name in NAMES:
        assert "CHOREOGRAPHY_DATABASE_FILE" not in environment(by_sidecar, name)
        # There a service with lists would refuse to start.
        assert environment(by_sidecar, name)["CHOREOGRAPHY_LISTS"] == "off"
        assert "CHOREOGRAPHY_LISTS" not in environment(directly, name)
        assert "database" not in volumes(by_sidecar, f"Deployment/{name}")


def test_an_administrator_may_make_the_tables_instead() -> None:
    """Then no pod of the release has the login of the owner."""
    rendered = place(*setting(migrate__enabled=False))
    assert JOB not in pods(rendered)
    assert "choreography-database-owner" not in str(rendered)


@pytest.mark.parametrize("broker", sorted(BROKERS))
def test_the_job_may_ask_the_database_and_nobody_else(broker: str) -> None:
    """The policy that allows it exists before the job runs."""
    found = of_kind(on(broker), "NetworkPolicy")
    placed = found["checkout-migrate"]
    assert reaches(placed) == {"kube-system", "169.254.20.10/32", "store"}
    assert {port["port"] for rule in placed["spec"]["egress"] for port in rule["ports"]} == {53, 5432}
    assert int(placed["metadata"]["annotations"]["helm.sh/hook-weight"]) < 0
    assert "store" not in reaches(found["checkout-provision"])


def test_a_database_that_listens_elsewhere_is_reached_there() -> None:
    """Each pod that needs it reaches it, for example behind a pooler."""
    peers = [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    placed = of_kind(place(*setting(networkPolicy__storePort=6432, networkPolicy__storePeers=peers)), "NetworkPolicy")
    rule = {"to": peers, "ports": [{"protocol": "TCP", "port": 6432}]}
    assert all(rule in placed[name]["spec"]["egress"] for name in (*NAMES, "checkout-migrate"))


def test_a_wrong_name_of_the_database_settings_is_refused() -> None:
    """A misspelt key would leave the service without its database."""
    assert "secretname" in refusal(*setting(defaults__database__secretname="x"))
