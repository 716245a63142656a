"""The command prints what it waits for, and refuses wrong arguments."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from rich.console import Console

from choreography.conform.conforming import Workplace
from choreography.drain import DrainError, Where, drain
from choreography.drain.brokers import aws, rabbitmq
from choreography.drain.progress_report import Teller, in_a_line, picture
from choreography.drain.replicas import Census, Replica
from choreography.drain.rounds import Round
from choreography.drain.sight import Sight, Standing
from choreography.errors import ChoreographyError
from choreography.progress import Progress
from choreography.provision import BrokerLayout
from choreography.settings import Settings, span_of
from choreography.telemetry import Metrics
from choreography.up.brokers.redis import find_redis
from choreography.up.ports import Ports
from choreography.up.processes import Processes
from tests.rendered_flow import rendered_flow
from tests.unit.drain.test_replicas import serving

RENDERED = rendered_flow() / "dapr"
LEFT = Round(
    0,
    Sight((Standing("billing", "orders", 1234, 5), Standing("order", "payments", 0))),
    Census((Replica("order", "http://10.0.0.1:8000", intake_open=True, in_hand=0, mark=()),)),
)
NOTHING = Round(0, Sight(()), Census(()))


def drawn(one: Round) -> str:
    """Return the text that a terminal shows."""
    console = Console(file=io.StringIO(), width=120)
    console.print(picture(one, 3))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_terminal_shows_what_is_left_topic_by_topic_and_what_else_is_waited_for() -> None:
    """Topics without events left are not shown."""
    shown = drawn(LEFT)
    (row,) = [line for line in shown.splitlines() if "billing" in line]
    assert [cell.strip() for cell in row.strip("│┃ ").split("│")] == ["orders", "billing", "1,234", "5"]
    assert "the intake of order is open at http://10.0.0.1:8000" in shown
    assert "payments" not in shown
    assert "nothing is left; looking once more" in drawn(NOTHING)


def test_a_log_gets_a_line_when_something_is_other_than_before() -> None:
    """The log does not repeat the same line every second."""
    console = Console(file=io.StringIO(), width=200)
    with Teller(console) as teller:
        teller.show(LEFT)
        teller.show(LEFT)
    assert isinstance(console.file, io.StringIO)
    (line,) = console.file.getvalue().splitlines()
    assert line.endswith(in_a_line(LEFT))
    assert "billing has 1234 waiting and 5 in hand of orders" in line


def test_a_terminal_gets_a_picture_that_goes_away() -> None:
    """Only sentences stay on the screen."""
    console = Console(file=io.StringIO(), force_terminal=True, width=120, height=40)
    with Teller(console) as teller:
        teller.show(LEFT)
        teller.say("the end")
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert "1,234" in said
    assert "the end" in said


def test_a_line_tells_the_beginning_of_what_is_much() -> None:
    """It also says how many more there are."""
    many = Round(0, Sight(tuple(Standing(f"app-{number}", "orders", 1) for number in range(9))), Census(()))
    assert in_a_line(many).endswith("; and 3 more")


def test_a_broker_that_nobody_can_look_at_is_refused_and_the_known_ones_are_listed() -> None:
    """A broker that cannot be asked may still hold events."""
    layout = BrokerLayout("pubsub.pigeon", "pubsub", ("orders",), ())
    with pytest.raises(DrainError, match=r"look at 'pubsub\.pigeon'.*Known are: .*pubsub\.kafka"):
        asyncio.run(drain(layout, Where("nowhere"), replicas=[], within=timedelta(seconds=1)))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("pubsub.redis", "127.0.0.1:1"),
        ("pubsub.kafka", "127.0.0.1:1"),
        ("pubsub.rabbitmq", "amqp://guest:guest@127.0.0.1:1/"),
        ("pubsub.jetstream", "nats://127.0.0.1:1"),
    ],
)
def test_a_broker_that_does_not_answer_at_first_is_told_at_once(kind: str, address: str) -> None:
    """The cause is then the address or a permission, and waiting would not help."""
    layout = BrokerLayout(kind, "pubsub", ("orders",), (("order", "orders"),))
    where = Where(address, "http://127.0.0.1:1")
    with pytest.raises(DrainError, match=r"(Redis|Kafka|RabbitMQ|NATS).* did not (say|answer)"):
        asyncio.run(drain(layout, where, replicas=[], within=timedelta(seconds=60)))


def test_the_management_plugin_of_rabbitmq_is_beside_it_unless_it_was_told() -> None:
    """It is reached with the same user; the virtual host is that of the address."""
    address = "amqp://user:secret@rabbit:5672/shop"
    assert rabbitmq.management_at(Where(address)) == ("http://user:secret@rabbit:15672", "shop")
    assert rabbitmq.management_at(Where("amqp://rabbit:5672/")) == ("http://rabbit:15672", "/")
    assert rabbitmq.management_at(Where(address, "https://r.example/")) == ("https://r.example", "shop")


def test_aws_is_looked_at_a_minute_apart() -> None:
    """Its counts are right only then; an emulator's are always right."""
    assert aws.settles(Where("eu-west-1")) > 60
    assert aws.settles(Where("http://k:s@localhost:5000/eu-west-1")) < 5


def test_a_span_of_time_has_a_unit() -> None:
    """Without a unit the value would be ambiguous."""
    assert span_of("10m") == timedelta(minutes=10)
    with pytest.raises(ValueError, match="write a number with ms, s, m, h or d"):
        span_of("10")


def test_the_intake_is_open_unless_it_is_closed() -> None:
    """A spelling mistake is refused."""
    assert Settings.from_environment({}).intake_open
    assert not Settings.from_environment({"CHOREOGRAPHY_INTAKE": "closed"}).intake_open
    with pytest.raises(ChoreographyError, match="CHOREOGRAPHY_INTAKE says 'shut'; write open or closed"):
        Settings.from_environment({"CHOREOGRAPHY_INTAKE": "shut"})


def test_the_command_takes_what_provision_takes_and_fails_with_a_sentence() -> None:
    """The exit code is 2, as in every command, and there is no stack."""
    command = [sys.executable, "-c", "from choreography.cli import main; main()", "drain"]
    words = [str(RENDERED / "redis"), "--address", "127.0.0.1:1", "--within", "5s"]
    ended = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.strip().startswith("Redis did not say what its streams still hold")
    ended = subprocess.run([*command, *words[:-1], "soon"], capture_output=True, text=True, check=False)
    assert ended.returncode == 2


async def test_nothing_may_move_for_as_long_as_a_replica_that_was_told_to_end_may_go_on(tmp_path: Path) -> None:
    """An ending replica cannot be asked any more; only its effects can be seen."""
    place = Workplace(Ports(tmp_path / "ports.json"), tmp_path)
    (program,) = find_redis(Progress.silent()).programs(place)
    metrics = Metrics("order")
    layout = BrokerLayout("pubsub.redis", "pubsub", ("orders",), ())
    where, hour = Where(f"127.0.0.1:{place.port('redis')}"), timedelta(hours=1)
    async with Processes() as processes, serving(lambda: generate_latest(metrics.registry)) as url:
        (server,) = processes.wave([program])
        await server.start()
        await server.until_ready()
        within = timedelta(seconds=3)
        assert not (await drain(layout, where, replicas=[url], within=within, grace=hour)).proven
        assert (await drain(layout, where, replicas=[url], within=within)).proven
    place.ports.release()
