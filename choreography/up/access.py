"""Gives each service of a flow a user of its broker, with the permissions that `choreography render` wrote."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from choreography.render.access import LOGIN, permissions_file
from choreography.render.access.nats import OPERATOR
from choreography.topics import CHRONICLE, TopicNaming
from choreography.up.brokers import BROKERS, Guarded
from choreography.up.brokers.broker_users import Logins
from choreography.up.errors import UpError

if TYPE_CHECKING:
    from choreography.up.toolbox import Tools


def guarded(tools: Tools, access: Path, apps: Iterable[str], names: TopicNaming) -> tuple[Tools, Logins | None]:
    """Return the programs with these users, if the broker has a user for each app.

    Args:
        tools: the programs of the flow.
        access: its rendered folder `access`.
        apps: its app ids.
        names: the broker's names for the topics of the flow, and so for its users.

    Raises:
        UpError: this broker has no users here, or their permissions are not rendered.
    """
    broker = tools.broker
    if not isinstance(broker, Guarded):
        known = ", ".join(name for name in BROKERS if permissions_file(name))
        raise UpError(
            f"The broker {broker.name!r} of this machine has no users, so --access would protect nothing. Leave it "
            f"out, or choose another broker ({known})."
        )
    with_users = broker.guarded(_logins_of(access, broker.name, apps, names))
    return replace(tools, broker=with_users), with_users.logins


def _logins_of(folder: Path, broker: str, apps: Iterable[str], names: TopicNaming) -> Logins:
    """Read the permissions of a flow's users on a broker, and choose their passwords.

    Raises:
        UpError: no permissions are rendered for this broker.
    """
    permissions = folder / broker / (permissions_file(broker) or "users")
    if not permissions.exists():
        known = ", ".join(sorted(path.name for path in folder.glob("*") if path.is_dir())) or "none"
        raise UpError(
            f"{folder} does not say what the users of {broker} may do, so services would share a login. Render it "
            f"(`choreography render`), choose a broker that is there ({known}), or leave out --access."
        )
    users = {app: names.on_broker(app) for app in (*apps, CHRONICLE, OPERATOR)}
    settings = folder / broker / LOGIN
    return Logins(
        permissions.read_text(),
        users,
        {user: secrets.token_urlsafe(24) for user in users.values()},
        tuple(yaml.safe_load(settings.read_text())) if settings.exists() else (),
    )


def write_with_logins(source: Path, target: Path, logins: Logins | None) -> Path:
    """Copy Dapr resources; add to brokers the settings by which each sidecar logs in as its own service."""
    target.mkdir(parents=True, exist_ok=True)
    settings = logins.settings if logins else ()
    replaced = {item["name"] for item in settings}
    for file in sorted(source.glob("*.y*ml")):
        documents = [document for document in yaml.safe_load_all(file.read_text()) if document]
        for document in documents:
            if document.get("kind") == "Component" and document["spec"]["type"].startswith("pubsub."):
                items = document["spec"]["metadata"]
                kept = [item for item in items if item["name"] not in replaced]
                document["spec"]["metadata"] = [*kept, *settings]
        (target / file.name).write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return target
