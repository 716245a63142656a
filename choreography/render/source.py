"""The input of every rendering: the services of a flow, and the files in components/."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

from choreography.broker_names import unusable
from choreography.flow import FlowError, module_of, package_of, services_of
from choreography.service import Service
from choreography.topics import TopicNaming, prefix_of

RUN: Final = ".run"
"""The folder below which everything is that can be made again; version control ignores it."""

Files: TypeAlias = dict[str, str]
"""Texts by path, relative to the folder that they are rendered into."""


@dataclass(frozen=True, slots=True)
class RenderSource:
    """One flow in the form that the renderings read.

    Attributes:
        name: its package.
        title: the last part of the package's name, by which people know the flow.
        about: the docstring of the package.
        folder: the folder of the package.
        root: the folder that it is imported from.
        rendered: the folder that its files are rendered into.
        brokers: the chosen files in components/brokers.
        stores: the chosen files in components/stores.
        names: the names of its topics on the broker.
    """

    name: str
    title: str
    about: str
    services: Sequence[Service]
    folder: Path
    root: Path
    rendered: Path
    brokers: tuple[Path, ...]
    stores: tuple[Path, ...]
    names: TopicNaming

    def component(self, name: str) -> str:
        """Read a file of components/."""
        return read(self.root / "components" / name)

    def module_of(self, service: Service) -> str:
        """Return the module from which a process serves this service."""
        return module_of(self.name, service)


Appearance: TypeAlias = Callable[[RenderSource], Files]
"""One way in which a flow appears outside of Python."""


def source_of(flow: str, broker: str | None, store: str | None, topic_prefix: str = "") -> RenderSource:
    """Collect everything that a flow is rendered from.

    Raises:
        FlowError: the flow, components/, or the file of a broker or store, does not exist, or a topic has a name that
            some broker does not accept.
    """
    package, services = package_of(flow), services_of(flow)
    for service in services:
        service.check()
    names = TopicNaming(topic_prefix or prefix_of(package.__name__))
    if topic_prefix and (sentences := list(unusable(services, names))):
        raise FlowError(" ".join(sentences))
    folder = Path(package.__path__[0])
    root = folder.parents[package.__name__.count(".")]
    bases = root / "components"
    if not bases.is_dir():
        raise FlowError(
            f"{bases} is not there. It holds the safe settings of each broker and store, which {flow} is "
            "rendered from. Copy the folder from the Choreography repository."
        )
    return RenderSource(
        name=package.__name__,
        title=package.__name__.rpartition(".")[2],
        about=(package.__doc__ or "").strip(),
        services=services,
        folder=folder,
        root=root,
        rendered=_rendered(folder, root),
        brokers=_chosen(bases / "brokers", broker),
        stores=_chosen(bases / "stores", store),
        names=names,
    )


def _rendered(folder: Path, root: Path) -> Path:
    """Return the folder of a flow's rendered files: not beside its code, unless there is a folder `dapr`."""
    return folder if (folder / "dapr").is_dir() else root / RUN / folder.name / "rendered"


def _chosen(folder: Path, name: str | None) -> tuple[Path, ...]:
    files = sorted(folder.glob("*.yaml"))
    chosen = tuple(file for file in files if name is None or file.stem == name)
    if not chosen:
        known = ", ".join(file.stem for file in files) or "none"
        raise FlowError(
            f"{folder.name}/{name or '*'}.yaml is not in components/, so nothing says which settings are "
            f"safe for it. Choose one that is there ({known}), or write its file."
        )
    return chosen


def read(path: Path) -> str:
    """Read a file that a flow is rendered from.

    Raises:
        FlowError: it cannot be read.
    """
    try:
        return path.read_text()
    except OSError as error:
        raise FlowError(
            f"{path} cannot be read ({error.strerror}), and without it a flow's files would be incomplete. "
            "Bring it back from the Choreography repository."
        ) from error


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a reader cannot follow anchors
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - lists stand out
        super().increase_indent(flow, indentless=False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    # A text of several lines keeps its line breaks.
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def as_yaml(content: Mapping[str, Any]) -> str:
    """Return a mapping as YAML in the given order."""
    return yaml.dump(content, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
