"""`choreography render`: from a flow's declarations and the files in components/ to its folder of Dapr files."""

from __future__ import annotations

from pathlib import Path

from choreography.flow import FlowError, package_of, services_of
from choreography.render import components
from choreography.render.diagram import event_diagram
from choreography.render.subscriptions import subscriptions_of

_PAGE_HEAD = "<!-- Rendered by `choreography render {}`; edit the declarations instead. -->\n"


def render(flow: str, *, broker: str | None = None, store: str | None = None) -> dict[Path, str]:
    """Return every file of a flow and its text, for one broker and store or for all there are.

    Raises:
        FlowError: the flow, or the component file of a broker or store, is not there.
    """
    package = package_of(flow)
    services = services_of(flow)
    for service in services:
        service.check()
    bases = _bases(flow)
    folder = _folder(flow)
    head = f"# Rendered by `choreography render {package.__name__}`; edit the declarations or components/ instead.\n"
    texts = {folder / "config.yaml": _read(bases / "tracing.yaml")}
    resiliency = components.resiliency(_read(bases / "resiliency.yaml"), services)
    for broker_file in _chosen(bases / "brokers", broker):
        pubsub = components.pubsub(_read(broker_file), services)
        for store_file in _chosen(bases / "stores", store):
            place = folder / f"{broker_file.stem}-{store_file.stem}"
            texts[place / "pubsub.yaml"] = pubsub
            texts[place / "statestore.yaml"] = components.statestore(_read(store_file), services)
            texts[place / "resiliency.yaml"] = resiliency
            for service in services:
                for name, text in subscriptions_of(service).items():
                    if place / name in texts:
                        raise FlowError(
                            f"Two subscriptions would be written to {name}, so a service would never hear "
                            f"one of its topics. Rename {service.name} or the topic it hears."
                        )
                    texts[place / name] = text
    page = f"{_PAGE_HEAD.format(package.__name__)}```mermaid\n{event_diagram(services)}```\n"
    return {path: head + text for path, text in texts.items()} | {folder.parent / "FLOW.md": page}


def write(flow: str) -> list[Path]:
    """Write every file of a flow, remove rendered ones that nothing asks for any more, and return what changed."""
    texts = render(flow)
    changed = []
    for path, text in texts.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            changed.append(path)
    for path in _strays(flow, texts):
        if path.read_bytes().startswith(b"# Rendered by "):
            path.unlink()
            changed.append(path)
    return changed


def compare(flow: str) -> list[str]:
    """Return in sentences how the files of a flow differ from what its declarations say."""
    texts = render(flow)
    root = _root(flow)
    again = f"Run `choreography render {package_of(flow).__name__}`."
    differences = []
    for path, text in texts.items():
        shown = path.relative_to(root)
        if not path.exists():
            differences.append(f"{shown} is missing. {again}")
        elif path.read_text() != text:
            differences.append(f"{shown} differs from what the declarations say. {again}")
    differences += [
        f"{path.relative_to(root)} is not rendered from anything, but a sidecar would read it. Remove it."
        for path in _strays(flow, texts)
    ]
    return differences


def _strays(flow: str, texts: dict[Path, str]) -> list[Path]:
    return sorted(path for path in _folder(flow).rglob("*") if path.is_file() and path not in texts)


def _folder(flow: str) -> Path:
    return Path(package_of(flow).__path__[0]) / "dapr"


def _root(flow: str) -> Path:
    package = package_of(flow)
    return Path(package.__path__[0]).parents[package.__name__.count(".")]


def _bases(flow: str) -> Path:
    bases = _root(flow) / "components"
    if not bases.is_dir():
        raise FlowError(
            f"{bases} is not there. It holds the safe settings of each broker and store, which {flow} is "
            "rendered from. Copy the folder from the Choreography repository."
        )
    return bases


def _chosen(folder: Path, name: str | None) -> list[Path]:
    files = sorted(folder.glob("*.yaml"))
    chosen = [file for file in files if name is None or file.stem == name]
    if not chosen:
        known = ", ".join(file.stem for file in files) or "none"
        raise FlowError(
            f"{folder.name}/{name or '*'}.yaml is not in components/, so nothing says which settings are "
            f"safe for it. Choose one that is there ({known}), or write its file."
        )
    return chosen


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise FlowError(
            f"{path} cannot be read ({error.strerror}), and without it a flow's files would be incomplete. "
            "Bring it back from the Choreography repository."
        ) from error
