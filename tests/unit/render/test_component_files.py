"""The hand-written files in components/: safe, and with the reason beside each setting."""

import itertools
import shutil
from pathlib import Path

import pytest
import yaml

from choreography.flow import services_of
from choreography.render import command, components
from choreography.render.component_lint import judge

COMPONENTS = Path(command.__file__).parents[2] / "components"
SERVICES = services_of("apps.checkout")
FILES = sorted(file for folder in ("", "brokers", "stores") for file in (COMPONENTS / folder).glob("*.yaml"))
STATED = ("apiVersion:", "kind:", "metadata:", "name:", "spec:", "type:", "version: v1")
"""The keys that name a resource and set nothing."""


def shown(file: Path) -> str:
    """Name a file in a test's id."""
    return str(file.relative_to(COMPONENTS))


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_each_setting_has_its_reason_beside_it(file: Path) -> None:
    """A setting without a known reason is changed by the next person in a hurry."""
    lines = [line for line in file.read_text().splitlines() if line.strip()]
    for before, line in itertools.pairwise(lines):
        text = line.strip()
        opens_an_item = text.startswith("- name:")
        is_a_value = not opens_an_item and ":" in text and not text.endswith(":") and not text.startswith("#")
        belongs_to_an_item = before.strip().startswith("- name:")
        if opens_an_item or (is_a_value and not belongs_to_an_item and not text.startswith(STATED)):
            assert before.strip().startswith("#"), f"{shown(file)}: {text!r} has no reason beside it"


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_a_file_holds_one_resource_and_tells_what_it_is_for(file: Path) -> None:
    """It can be taken into another project as it is."""
    text = file.read_text()
    assert text.startswith("# ")
    assert len([document for document in yaml.safe_load_all(text) if document]) == 1


@pytest.mark.parametrize("store", sorted((COMPONENTS / "stores").glob("*.yaml")), ids=shown)
@pytest.mark.parametrize("broker", sorted((COMPONENTS / "brokers").glob("*.yaml")), ids=shown)
def test_the_files_are_safe_together(broker: Path, store: Path, tmp_path: Path) -> None:
    """The lint that refuses what loses messages accepts every broker with every store."""
    base = broker.read_text()
    (tmp_path / "pubsub.yaml").write_text(components.pubsub(base, SERVICES))
    resiliency = (COMPONENTS / "resiliency.yaml").read_text()
    (tmp_path / "resiliency.yaml").write_text(components.resiliency(resiliency, SERVICES, components.name_in(base)))
    shutil.copy(store, tmp_path)
    assert judge(tmp_path) == []


@pytest.mark.parametrize("file", FILES, ids=shown)
def test_addresses_and_secrets_come_from_the_environment(file: Path) -> None:
    """A file with an address in it fits one machine, and one with a password fits none."""
    settings = (yaml.safe_load(file.read_text())["spec"].get("metadata") or ()) if "tracing" not in file.name else ()
    for item in settings:
        is_a_place = item["name"] in {"redisHost", "connectionString", "brokers", "natsURL"}
        assert not is_a_place or "envRef" in item
