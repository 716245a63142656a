"""Kafka in KRaft mode, one node, from Maven: no ZooKeeper, no container."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from choreography.progress import Progress
from choreography.provision.clients import speaker
from choreography.up.brokers.broker import BrokerPlace
from choreography.up.brokers.broker_users import Logins
from choreography.up.errors import MissingToolError, UpError
from choreography.up.places import cache, only_one
from choreography.up.probes import listening
from choreography.up.processes import Program
from choreography.up.running_tools import ask, work

_VERSION: Final = "4.1.1"
_WHY: Final = (
    "Without Kafka no event could travel. Install Maven and a Java 17 runtime, put Kafka's jars where they are "
    "looked for, or choose another broker."
)
_POM: Final = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>choreography</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j2-impl</artifactId><version>2.25.1</version>
    </dependency>
  </dependencies>
</project>
"""
_PROPERTIES: Final = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
# One node: what replicas would keep must be on its disk before a publish is acknowledged.
log.flush.interval.messages=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
# A topic that nobody provisioned would have one partition and be a spelling mistake.
auto.create.topics.enable=false
"""
_LOGINS: Final = "kafka-logins"
_GUARDED: Final = """\
# Users come by a listener of their own. Whoever comes by the other one from this machine may do everything.
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller},SASL_PLAINTEXT://127.0.0.1:{logins}
advertised.listeners=PLAINTEXT://127.0.0.1:{port},SASL_PLAINTEXT://127.0.0.1:{logins}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required {users};
"""


@dataclass(frozen=True)
class Kafka:
    """Starts Kafka."""

    java: str
    jars: Path
    name: str = "kafka"
    forgets: str = ""
    logins: Logins | None = None

    @property
    def version(self) -> str:
        """The server and its version."""
        return f"Kafka {_VERSION}"

    def programs(self, place: BrokerPlace) -> list[Program]:
        """The server program; it formats the folder of the run's data first."""
        port, data = place.port(self.name), place.folder(self.name)
        properties = data / "server.properties"
        logs = data / "logs"
        controller = place.port("kafka-controller")
        text = _PROPERTIES.format(port=port, controller=controller, data=logs)
        if self.logins is not None:
            properties.touch(0o600)
            users = " ".join(f'user_{user}="{password}"' for user, password in self.logins.passwords.items())
            # If a property stands twice, the last one counts.
            text += _GUARDED.format(port=port, controller=controller, logins=place.port(_LOGINS), users=users)
        properties.write_text(text)
        if not (logs / "meta.properties").exists():
            self._format(properties)
        return [
            Program(
                name=self.name,
                command=self._java("kafka.Kafka", str(properties)),
                log=place.log(self.name),
                ready=lambda: listening(port),
                folder=data,
            )
        ]

    def told(self, port: int) -> Mapping[str, str]:
        """The address for sidecars."""
        return {"KAFKA_BROKERS": self.address(port)}

    def address(self, port: int) -> str:
        """The bootstrap server."""
        return f"127.0.0.1:{port}"

    def guarded(self, logins: Logins) -> Self:
        """The same server with these users. They log in without encryption, because no traffic leaves this machine."""
        here = [{"name": "saslMechanism", "value": "PLAINTEXT"}, {"name": "disableTls", "value": "true"}]
        kept = [item for item in logins.settings if item["name"] != "saslMechanism"]
        return replace(self, logins=replace(logins, settings=(*kept, *here)))

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:
        """The port for logins, the user of an app, and its password."""
        if self.logins is None:
            return {}
        user, password = self.logins.of(app)
        return {
            "KAFKA_BROKERS": self.address(place.port(_LOGINS)),
            "KAFKA_USERNAME": user,
            "KAFKA_PASSWORD": password,
        }

    async def permit(self, place: BrokerPlace) -> None:
        """Add the access control lists, with the client that `choreography provision` uses as well."""
        if self.logins is not None:
            module = speaker(
                "choreography.up.brokers.kafka_permissions", "Kafka", "told what its users may do", UpError
            )
            await module.permit(self.address(place.port(self.name)), self.logins.permissions)

    def _format(self, properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        command = self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(properties))
        with Progress.silent().doing("preparing the disk of Kafka") as ticker:
            work(command, why=_WHY, ticker=ticker)

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [self.java, "-Xmx512m", "-XX:+UseSerialGC", "-cp", f"{self.jars}/*", main, *arguments]


def find_kafka(progress: Progress) -> Kafka:
    """Kafka's jars from the cache, else from Maven."""
    java = shutil.which("java")
    if java is None or ask([java, "-version"]) is None:
        raise MissingToolError(f"`java` was not found or does not run. {_WHY}")
    jars = cache() / f"kafka-{_VERSION}"
    if not jars.exists():
        with only_one(
            cache() / "kafka.lock",
            lambda: progress.note("another run is obtaining Kafka already; waiting for it"),
        ):
            if not jars.exists():
                _download(progress, jars)
                progress.done(f"Kafka {_VERSION} downloaded with Maven; kept in {jars}")
                return Kafka(java, jars)
    progress.done(f"Kafka {_VERSION} found in {jars}")
    return Kafka(java, jars)


def _download(progress: Progress, jars: Path) -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingToolError(f"`mvn` was not found, and Kafka's jars are not in {jars}. {_WHY}")
    with (
        progress.doing(f"downloading Kafka {_VERSION} with Maven, once (120 MB)") as ticker,
        tempfile.TemporaryDirectory(dir=cache()) as scratch,
    ):
        folder = Path(scratch)
        (folder / "pom.xml").write_text(_POM)
        work(
            [maven, "-B", "-q", "dependency:copy-dependencies", f"-DoutputDirectory={folder / 'jars'}"],
            why=_WHY,
            ticker=ticker,
            folder=folder,
        )
        # A rename is atomic, so an interrupted download leaves no incomplete server behind.
        (folder / "jars").replace(jars)
