"""The pages about clusters agree with the files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from choreography.flow import services_of
from choreography.render.alerts import alert_rules
from tests.unit.helm.placing import CHART, ROOT

PAGES = [ROOT / "docs/kubernetes.md", ROOT / "docs/production.md", ROOT / "helm/choreography/README.md"]
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.name))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    """This covers links, and paths in commands."""
    text = page.read_text()
    links = [page.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", text)]
    commands = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    typed = [ROOT / path for path in re.findall(r"\b(?:k8s|helm/choreography)[\w/.-]*", commands)]
    assert [path for path in (*links, *typed) if not path.exists()] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    """A reader types the target."""
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"^make (\w+)|`make (\w+)`", page.read_text(), re.MULTILINE):
            assert re.search(rf"^{''.join(target)}:", makefile, re.MULTILINE), target


def test_everybody_who_is_called_is_told_for_what() -> None:
    """Every alert stands on the page, and no other."""
    rules = alert_rules("checkout", services_of("apps.checkout"))
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    assert set(re.findall(r"\bChoreography[A-Z]\w+", (ROOT / "docs/production.md").read_text())) == alerts


def test_every_value_that_a_page_names_is_a_value() -> None:
    """Names are those of values.yaml; values for all services are named without `defaults`."""
    known = VALUES | VALUES["defaults"]
    named = {name for page in PAGES[:2] for name in re.findall(r"`([a-z]\w+(?:\.\w+)+)[=:`]", page.read_text())}
    values = {name for name in named if name.partition(".")[0] in known}
    assert len(values) > 5
    for name in values:
        found: Any = known
        for key in name.split("."):
            assert key in found, name
            found = found[key]


def test_one_version_of_dapr_is_installed_whichever_way() -> None:
    """Skaffold and the manual steps install the same version."""
    skaffold = re.findall(r"version: (\d+\.\d+\.\d+)", (ROOT / "skaffold.yaml").read_text())
    by_hand = re.findall(r"helm-charts --version (\d+\.\d+\.\d+)", PAGES[0].read_text())
    assert skaffold == by_hand
    assert len(skaffold) == 1


def test_chart_image_and_package_have_one_version() -> None:
    """The chart takes the image of its own version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == version
    image = f"choreography:{version}"
    assert f"IMAGE ?= {image}\n" in (ROOT / "Makefile").read_text()
    assert set(re.findall(r"choreography:\d[\d.]*\d", PAGES[0].read_text())) == {image}


def test_the_user_of_the_image_is_the_user_of_the_pods() -> None:
    """Otherwise one of them could not write to a volume."""
    user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    helpers = (CHART / "templates/_helpers.tpl").read_text()
    assert user == [tuple(re.findall(r"runAs(?:User|Group): (\d+)", helpers))]
