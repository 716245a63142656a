"""A component with settings that lose messages is refused before the kit looks for a server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from choreography.conform.asking import ConformError
from choreography.conform.conforming import ComponentUnderTest, conform
from choreography.progress import Progress

_OURS = Path(__file__).parents[3] / "components"
COMPONENTS = sorted(file for place in ("brokers", "stores") for file in (_OURS / place).glob("*.yaml"))


def asked(subject: ComponentUnderTest, folder: Path) -> str:
    """Return why a component is refused; the case name does not exist, so no server is started."""
    with pytest.raises(ConformError) as caught:
        asyncio.run(conform(subject, folder, Progress.silent()))
    return str(caught.value)


def component(folder: Path, kind: str, **settings: str) -> Path:
    """Write a component file."""
    listed = "".join(f"\n    - {{name: {name}, value: '{value}'}}" for name, value in settings.items())
    file = folder / "mine.yaml"
    file.write_text(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {name: mine}\n"
        f"spec:\n  type: {kind}\n  version: v1\n  metadata:{listed or ' []'}\n"
    )
    return file


def test_settings_that_lose_messages_are_refused_with_how_to_ask_all_the_same(tmp_path: Path) -> None:
    """The rules are those of `check`, and the message says how to test anyway."""
    file = component(tmp_path, "pubsub.jetstream", concurrencyMode="parallel")
    said = asked(ComponentUnderTest(file, only=("no such case",)), tmp_path)
    assert "concurrencyMode is 'parallel'" in said
    assert "--unjudged" in said
    assert "no such case" in asked(ComponentUnderTest(file, only=("no such case",), judged=False), tmp_path)


@pytest.mark.parametrize(
    ("kind", "judged"), [("pubsub.pulsar", False), ("pubsub.reddis", False), ("state.redis", True)]
)
def test_only_what_is_known_is_refused_as_the_kit_is_how_others_are_tried(
    kind: str, judged: bool, tmp_path: Path
) -> None:
    """An untried type goes on to its server."""
    said = asked(ComponentUnderTest(component(tmp_path, kind), only=("no such case",)), tmp_path)
    assert ("would lose messages" in said) is judged


@pytest.mark.parametrize("file", COMPONENTS, ids=lambda file: file.stem)
def test_our_own_components_go_on_to_their_servers(file: Path, tmp_path: Path) -> None:
    """No rule refuses any of them."""
    assert "no such case" in asked(ComponentUnderTest(file, only=("no such case",)), tmp_path)
