"""What every broker of a flow can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self, runtime_checkable

from choreography.up.brokers.broker_users import Logins
from choreography.up.processes import Program

SOCKETS_FOLDER: Final = "DAPR_COMPONENTS_SOCKETS_FOLDER"
"""The variable by which a sidecar and the components beside it agree on a folder."""


class BrokerPlace(Protocol):
    """Where a server lives: its ports, its data and its log."""

    def port(self, name: str) -> int:
        """The port called `name`."""
        ...

    def folder(self, name: str) -> Path:
        """A folder of the run, made if it is not there."""
        ...

    def log(self, name: str) -> Path:
        """The log of a process."""
        ...


class BrokerServer(Protocol):
    """The server of one broker, found on this machine or obtained for it."""

    @property
    def name(self) -> str:
        """What its process, its port and its data are called."""
        ...

    @property
    def version(self) -> str:
        """The server and its version."""
        ...

    @property
    def forgets(self) -> str:
        """Why it must not be killed, if it keeps nothing; else nothing."""
        ...

    def programs(self, place: BrokerPlace) -> Sequence[Program]:
        """What is started, in this order, so that what it acknowledged survives a crash."""
        ...

    def told(self, port: int) -> Mapping[str, str]:
        """What sidecars are told: the variables that its component file takes by `envRef`."""
        ...

    def address(self, port: int) -> str:
        """Where `choreography provision` finds it."""
        ...


@runtime_checkable
class Pluggable(Protocol):
    """A broker that a sidecar reaches through a process beside it, as a container would be in its pod."""

    def component(self, place: BrokerPlace, sidecar: str, port: int) -> Program:
        """The process beside one sidecar; `SOCKETS_FOLDER` in its environment is what the sidecar is told, too."""
        ...


@runtime_checkable
class Managed(Protocol):
    """A broker that tells elsewhere what its own protocol does not."""

    def management(self, place: BrokerPlace) -> str:
        """Where that is, for `choreography drain`."""
        ...


@runtime_checkable
class Guarded(Protocol):
    """A broker that can have a user for each service."""

    @property
    def logins(self) -> Logins | None:
        """These users, and how components log in here; None is one login for all."""
        ...

    def guarded(self, logins: Logins) -> Self:
        """Return the same broker, where each user may do what its permissions say."""
        ...

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:
        """What the sidecar of an app is told besides, so that it logs in as that app; nothing where nobody must."""
        ...

    async def permit(self, place: BrokerPlace) -> None:
        """Tell the server, which runs by now, what its users may do, where it has not read that at its start."""
        ...
