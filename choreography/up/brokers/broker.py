"""The interface of every broker of a flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self, runtime_checkable

from choreography.up.brokers.broker_users import Logins
from choreography.up.processes import Program

SOCKETS_FOLDER: Final = "DAPR_COMPONENTS_SOCKETS_FOLDER"
"""The variable by which a sidecar and the components beside it agree on a folder."""


class BrokerPlace(Protocol):
    """The place of a server: its ports, its data and its log."""

    def port(self, name: str) -> int:
        """The port called `name`."""
        ...

    def folder(self, name: str) -> Path:
        """A folder of the run; it is made if it is missing."""
        ...

    def log(self, name: str) -> Path:
        """The log of a process."""
        ...


class BrokerServer(Protocol):
    """The server of a broker, found on this machine or obtained for it."""

    @property
    def name(self) -> str:
        """The name of its process, its port and its data."""
        ...

    @property
    def version(self) -> str:
        """The server and its version."""
        ...

    @property
    def forgets(self) -> str:
        """The reason why a test must not kill it, if it keeps nothing on disk; else empty."""
        ...

    def programs(self, place: BrokerPlace) -> Sequence[Program]:
        """The programs to start, in this order; acknowledged events survive a crash of them."""
        ...

    def told(self, port: int) -> Mapping[str, str]:
        """The variables for sidecars, which the component file takes by `envRef`."""
        ...

    def address(self, port: int) -> str:
        """The address for `choreography provision`."""
        ...


@runtime_checkable
class Pluggable(Protocol):
    """A broker that a sidecar reaches through a process beside it, as a container would be in its pod."""

    def component(self, place: BrokerPlace, sidecar: str, port: int) -> Program:
        """The process beside one sidecar; it and the sidecar get the same `SOCKETS_FOLDER` in their environments."""
        ...


@runtime_checkable
class Managed(Protocol):
    """A broker with a management port for facts that its own protocol does not give."""

    def management(self, place: BrokerPlace) -> str:
        """The management address, for `choreography drain`."""
        ...


@runtime_checkable
class Guarded(Protocol):
    """A broker that can have a user for each service."""

    @property
    def logins(self) -> Logins | None:
        """The users and the settings by which components log in; None if all share one login."""
        ...

    def guarded(self, logins: Logins) -> Self:
        """Return the same broker, with the permissions of each user enforced."""
        ...

    def login(self, place: BrokerPlace, app: str) -> Mapping[str, str]:
        """The variables by which the sidecar of an app logs in as this app; empty if no login is needed."""
        ...

    async def permit(self, place: BrokerPlace) -> None:
        """Send the permissions to the running server, if the server does not read them at its start."""
        ...
