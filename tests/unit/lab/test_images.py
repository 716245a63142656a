"""An image is rebuilt when its inputs have changed, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.catalogue import BASE, PROJECT, Catalogue, official
from lab.debian import Debian
from lab.image import Built
from lab.tools import Tools


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """Programs that are only looked at."""
    for name in ("dapr", "kubernetes"):
        (tmp_path / name).mkdir()
    for name in ("coredns", "helm", "skaffold", "pause", "zipkin.jar", "nats-server"):
        (tmp_path / name).write_text(name)
    for name in ("daprd", "operator", "placement", "sentry", "injector", "scheduler"):
        (tmp_path / "dapr" / name).write_text(name)
    return Tools(
        kubernetes=tmp_path / "kubernetes",
        dapr=tmp_path / "dapr",
        coredns=tmp_path / "coredns",
        helm=tmp_path / "helm",
        skaffold=tmp_path / "skaffold",
        pause=tmp_path / "pause",
        zipkin=tmp_path / "zipkin.jar",
        nats=tmp_path / "nats-server",
    )


@pytest.fixture
def image(tmp_path: Path) -> Built:
    """A small image on a base."""
    (tmp_path / "sources" / "__pycache__").mkdir(parents=True)
    (tmp_path / "sources" / "one.py").write_text("1")
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    return Built(("one:1",), tmp_path / "Dockerfile", {"sources": tmp_path / "sources"}, Debian(("base:1",)))


def test_a_changed_file_makes_another_image(image: Built, tmp_path: Path) -> None:
    """A file's content and name both count."""
    before = image.digest()
    (tmp_path / "sources" / "one.py").write_text("2")
    changed = image.digest()
    (tmp_path / "sources" / "one.py").rename(tmp_path / "sources" / "two.py")
    assert len({before, changed, image.digest()}) == 3


def test_a_changed_dockerfile_or_base_makes_another_image(image: Built, tmp_path: Path) -> None:
    """An image on another base is another image."""
    before = image.digest()
    on_another = Built(image.names, image.dockerfile, image.files, Debian(("base:1",), ("python3",)))
    (tmp_path / "Dockerfile").write_text("FROM scratch\nUSER 1")
    assert len({before, on_another.digest(), image.digest()}) == 3


def test_what_python_compiled_makes_no_other_image(image: Built, tmp_path: Path) -> None:
    """An earlier test run must not change the image."""
    before = image.digest()
    (tmp_path / "sources" / "__pycache__" / "one.pyc").write_text("compiled")
    assert image.digest() == before


def test_servers_are_named_as_the_manifests_name_them(tools: Tools) -> None:
    """Otherwise the node would look for a registry that it cannot reach."""
    manifests = "\n".join(file.read_text() for file in Path("k8s/dependencies").rglob("*.yaml"))
    names = [name for image in Catalogue(tools).servers() for name in image.names]
    assert {name.partition(":")[0] for name in names} == {"redis", "postgres", "nats", "openzipkin/zipkin-slim"}
    assert all(f"image: {name}\n" in manifests for name in names)
    assert official("redis") in names


def test_the_projects_image_is_named_as_the_chart_asks_for_it(tools: Tools) -> None:
    """Without any value the chart takes this repository and its own version."""
    assert Catalogue(tools).project().names == (PROJECT,)
    assert f"appVersion: {PROJECT.partition(':')[2]}\n" in Path("helm/choreography/Chart.yaml").read_text()


def test_the_base_has_the_name_that_the_dockerfile_asks_for() -> None:
    """Skaffold builds from the Dockerfile as it is."""
    assert f"ARG BASE={BASE.names[1]}\n" in Path("Dockerfile").read_text()


def test_the_projects_image_holds_every_file_that_its_dockerfile_copies(tools: Tools) -> None:
    """A file that is not named would be missing from the build."""
    project = Catalogue(tools).project()
    assert isinstance(project, Built)
    copied = {
        word.rstrip("/")
        for line in Path("Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert copied == set(project.files)
