"""The page about exchanging the broker says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from typer.testing import CliRunner

from choreography.cli import app
from choreography.drain.broker_choice import looker_for
from choreography.drain.replicas import Census, Replica
from choreography.drain.rounds import Round
from choreography.drain.sight import Sight, Standing, Where
from choreography.provision import BrokerLayout

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/swap-the-broker.md").read_text()
NAMED = {
    "Redis": ["pubsub.redis"],
    "Kafka": ["pubsub.kafka"],
    "NATS JetStream, by either component": ["pubsub.jetstream", "pubsub.nats-pull"],
    "RabbitMQ": ["pubsub.rabbitmq"],
    "AWS SNS/SQS, EventBridge": ["pubsub.aws.snssqs", "pubsub.aws.eventbridge"],
}


def test_the_page_says_how_far_apart_a_broker_is_asked() -> None:
    """One row for each broker that can be asked at all."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("|")]
    told = {row[0]: row[-1] for row in rows if row[0] in NAMED}
    assert told.keys() == NAMED.keys()
    for name, kinds in NAMED.items():
        for kind in kinds:
            settles = looker_for(BrokerLayout(kind, "pubsub", (), ())).settles(Where("eu-west-1"))
            assert re.match(rf"{settles:.0f} s\b", told[name]), name


def test_what_the_page_says_is_waited_for_is_what_the_command_says() -> None:
    """A reader looks for the words on the screen."""
    order = Replica("order", "http://10.0.0.1:8000", intake_open=True, in_hand=0, mark=())
    sight = Sight((Standing("order", "payments", 0, 6),))
    said = list(Round(0, sight, Census((order,), ("no replica of billing has answered",))).obstacles())
    for sentence in said:
        assert re.sub(r"at http.*", "at …", sentence) in PAGE


def test_the_commands_on_the_page_are_commands() -> None:
    """Each option is one that there is."""
    shown = CliRunner().invoke(app, ["drain", "--help"], env={"COLUMNS": "200"}).output
    block = PAGE.split("## Anywhere else")[1].split("```")[1]
    for option in set(re.findall(r"--[a-z]+", block)):
        assert option in shown


def test_the_page_says_after_how_long_an_upgrade_gives_up_and_what_a_pod_may_take() -> None:
    """The page gives the values of the chart."""
    values = yaml.safe_load((ROOT / "helm/choreography/values.yaml").read_text())
    assert values["drain"]["withinSeconds"] == 600
    assert "Fails after ten minutes (drain.withinSeconds)" in PAGE
    assert f"after the {values['defaults']['shutdown']['terminationSeconds']} seconds that a pod" in PAGE
