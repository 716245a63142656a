"""Reads the processes of a flow from a Dapr multi-app run file, the same file that `dapr run -f` reads.

One file serves both, so the flow that the Dapr CLI starts cannot drift from the flow that we start. The Dapr CLI
ignores unknown keys; ours is `x-sidecar: false`, for a program that is not part of the flow but must run: the outside.
(The Dapr CLI gives it a sidecar that nothing uses.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import yaml

from choreography.render.access import FOLDER as ACCESS
from choreography.topics import STORES_FOLDER
from choreography.up.errors import FlowFileError

if TYPE_CHECKING:
    from pathlib import Path

FILE = "dapr.yaml"


@dataclass(frozen=True)
class App:
    """One entry of the file: a service with its sidecar, or an outside program without."""

    name: str
    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    sidecar: bool

    @property
    def outside_variable(self) -> str:
        """The environment variable that gives services the address of this outside program."""
        return "OUTSIDE_" + self.name.upper().replace("-", "_")


@dataclass(frozen=True)
class FlowFile:
    """The processes of one flow."""

    path: Path
    name: str
    apps: tuple[App, ...]
    resources: Path | None
    configuration: Path | None

    @property
    def services(self) -> tuple[App, ...]:
        """The services of the flow."""
        return tuple(app for app in self.apps if app.sidecar)

    @property
    def outside(self) -> tuple[App, ...]:
        """The programs the services call."""
        return tuple(app for app in self.apps if not app.sidecar)

    def resources_for(self, broker: str) -> Path:
        """The folder of components for a broker, beside the folder that the file names."""
        return _existing(self.rendered / broker, "no broker")

    def state_resources_for(self, store: str) -> Path:
        """The folder with the state store of sidecars, for a database that services reach only through sidecars."""
        return _existing(self.rendered / STORES_FOLDER / store, "no store")

    @property
    def rendered(self) -> Path:
        """The folder with a folder of Dapr resources for each broker."""
        return self.resources.parent if self.resources else self.path.parent / "dapr"

    @property
    def access(self) -> Path:
        """The folder with the permissions of each service's user on a broker."""
        return self.rendered.parent / ACCESS


def _existing(folder: Path, lacks: str) -> Path:
    if not folder.is_dir():
        siblings = folder.parent.iterdir() if folder.parent.is_dir() else ()
        known = sorted(one.name for one in siblings if one.is_dir() and one.name != STORES_FOLDER)
        near = get_close_matches(folder.name, known, 1, cutoff=0.8)
        hint = f"Did you mean {near[0]}? Else render" if near else "Render"
        raise FlowFileError(
            f"{folder} is not there, so a sidecar would have {lacks}. "
            f"{hint} it where the flow is imported from (`choreography render`), or choose one that is there: "
            f"{', '.join(known) or 'none is'}."
        )
    return folder


def read_flow(flow: Path) -> FlowFile:
    """Read the run file of a flow, given its folder or the file itself."""
    path = flow / FILE if flow.is_dir() else flow
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise FlowFileError(
            f"{path} cannot be read ({error.strerror}), so nothing tells which processes the flow is made "
            f"of. Name a folder that holds a {FILE}."
        ) from error
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise FlowFileError(f"{path} is not valid YAML, so the flow cannot be started. Mend this: {error}") from error
    # From here on, errors name an invalid entry by its position, because the Dapr CLI's own message does not.
    if not isinstance(content, Mapping) or not content.get("version") or not content.get("apps"):
        raise FlowFileError(
            f"{path} has no `version` or no `apps`, so it is not a Dapr multi-app run file. Give it "
            "`version: 1` and a list of apps."
        )
    try:
        return _flow_in(path, content)
    except (TypeError, AttributeError, KeyError, ValueError) as error:
        raise FlowFileError(
            f"{path} does not have the shape of a Dapr multi-app run file ({error}), so the flow cannot be started. "
            "Give it `version: 1`, a list of apps, and maps of settings where Dapr has them."
        ) from error


def _flow_in(path: Path, content: Mapping[str, Any]) -> FlowFile:
    base = path.parent.resolve()
    common = content.get("common") or {}
    apps = tuple(
        _app(path, base, place, entry, common.get("env") or {}) for place, entry in enumerate(content["apps"], start=1)
    )
    names = [app.name for app in apps]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise FlowFileError(
            f"{path} names {', '.join(twice)} twice. Two apps with one id would share deliveries and state "
            "keys. Give each its own appID; replicas are asked for when the flow is started."
        )
    resources = (common.get("resourcesPaths") or [None])[0]
    configuration = common.get("configFilePath")
    return FlowFile(
        path=path,
        name=base.name,
        apps=apps,
        resources=base / resources if resources else None,
        configuration=base / configuration if configuration else None,
    )


def _app(path: Path, base: Path, place: int, entry: Any, shared: Mapping[str, Any]) -> App:
    needed = ("appID", "appDirPath", "command")
    missing = [key for key in needed if not isinstance(entry, Mapping) or not entry.get(key)]
    if missing:
        raise FlowFileError(
            f"App {place} in {path} has no {' and no '.join(f'`{key}`' for key in missing)}, so it cannot "
            "be started. Add what is missing."
        )
    if not isinstance(entry["command"], list):
        raise FlowFileError(
            f"The command of {entry['appID']} in {path} is not a list, and no shell will split it. "
            'Write it as ["program", "argument"].'
        )
    return App(
        name=str(entry["appID"]),
        command=tuple(str(word) for word in entry["command"]),
        folder=(base / entry["appDirPath"]).resolve(),
        environment={name: str(value) for name, value in {**shared, **(entry.get("env") or {})}.items()},
        sidecar=entry.get("x-sidecar", True) is not False,
    )
