"""Names of settings that a component does not have are refused, with the nearest that it has."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from choreography.render.component_lint import judge
from choreography.render.known_components import TRIED
from choreography.render.known_settings import SETTINGS

ROOT = Path(__file__).parents[3]


def judged(folder: Path, kind: str, *names: str) -> list[str]:
    """Judge a component with some settings, and return the findings about names."""
    metadata = [{"name": name, "value": "1"} for name in names]
    component = {
        "apiVersion": "dapr.io/v1alpha1",
        "kind": "Component",
        "metadata": {"name": "mine"},
        "spec": {"type": kind, "version": "v2", "metadata": metadata},
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(component))
    return [one for one in judge(folder) if "has no setting" in one]


@pytest.mark.parametrize(
    ("kind", "written", "meant"),
    [
        ("pubsub.redis", "redeliveryInterval", "redeliverInterval"),
        ("pubsub.redis", "concurency", "concurrency"),
        ("pubsub.kafka", "consumerGroupID", "consumerGroup"),
        ("pubsub.rabbitmq", "requeueOnFailure", "requeueInFailure"),
        ("pubsub.jetstream", "durable_name", "durableName"),
        ("pubsub.snssqs", "disableEntityManagment", "disableEntityManagement"),
        ("pubsub.aws.eventbridge", "maxRecieves", "maxReceives"),
        ("pubsub.nats-pull", "ackwaits", "ackWait"),
        ("state.postgresql", "conectionString", "connectionString"),
        ("state.postgres", "maxConn", "maxConns"),
        ("state.sqlite", "disableWall", "disableWAL"),
        ("state.mysql", "shemaName", "schemaName"),
        ("state.mysql", "keyprefixes", "keyPrefix"),
    ],
)
def test_a_misspelt_setting_is_named_with_the_one_that_was_meant(
    tmp_path: Path, kind: str, written: str, meant: str
) -> None:
    """A sidecar ignores it, and silently uses the default."""
    (sentence,) = judged(tmp_path, kind, written)
    assert f"has no setting {written!r}" in sentence
    assert f"Did you mean {meant}?" in sentence


def test_a_setting_like_no_other_is_named_with_all_there_are(tmp_path: Path) -> None:
    """The author sees the possible names."""
    (sentence,) = judged(tmp_path, "state.sqlite", "colour")
    assert "Its settings are actorStateStore, busyTimeout, " in sentence


def test_settings_are_read_in_any_letters_and_those_of_every_component_are_known(tmp_path: Path) -> None:
    """A sidecar reads them in the same way."""
    assert not judged(tmp_path, "pubsub.redis", "REDISHOST", "consumerID", "publishingScopes", "allowedTopics")
    assert not judged(tmp_path, "state.postgresql", "keyPrefix", "actorStateStore", "TablePrefix")


def test_what_nobody_tried_is_not_judged_by_names(tmp_path: Path) -> None:
    """This project does not know the settings of an untried type."""
    assert not judged(tmp_path, "pubsub.pulsar", "anything")


def test_the_settings_of_everything_that_was_tried_are_known() -> None:
    """No settings of other types are listed."""
    assert SETTINGS.keys() == {f"{category}.{name}" for category, names in TRIED.items() for name in names}


@pytest.mark.parametrize(
    "file",
    sorted([*ROOT.glob("components/brokers/*.yaml"), *ROOT.glob("components/stores/*.yaml")]),
    ids=lambda file: file.stem,
)
def test_the_settings_of_our_own_files_are_known(tmp_path: Path, file: Path) -> None:
    """Each of these settings was seen to work."""
    for document in yaml.safe_load_all(file.read_text()):
        if document and document.get("kind") == "Component":
            names = [one["name"] for one in document["spec"].get("metadata") or ()]
            assert not judged(tmp_path, document["spec"]["type"], *names)


@pytest.mark.parametrize(("kind", "folder"), [("aws.eventbridge", "eventbridge"), ("nats-pull", "nats_pull")])
def test_the_settings_of_our_own_components_are_those_that_they_declare(kind: str, folder: str) -> None:
    """The declarations are in the metadata.yaml beside them."""
    declared = yaml.safe_load((ROOT / "components" / folder / "metadata.yaml").read_text())
    profiles = declared.get("authenticationProfiles") or []
    names = {one["name"] for part in (declared, *profiles) for one in part.get("metadata") or ()}
    assert names - {"consumerID"} <= set(SETTINGS[f"pubsub.{kind}"].split())
