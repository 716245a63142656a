"""Programs are found in their usual places, in a suitable version; a missing one gets a clear message."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from choreography.progress import Progress
from choreography.up import MissingToolError, UpError, prepare
from choreography.up.brokers.redis import Redis, find_redis
from choreography.up.dapr import BUILT, OLDEST, find_or_build, parse_version
from choreography.up.ports import Ports
from choreography.up.servers import find_zipkin


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which only the programs of a test are installed."""
    for name in ("path", "home", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.setenv("DAPR_RUNTIME_PATH", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def installed(folder: Path, name: str, says: str = "") -> Path:
    """A program that prints something."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
    (folder / name).chmod(0o755)
    return folder / name


@pytest.mark.parametrize(
    ("text", "version"),
    [("1.18.2\n", (1, 18, 2)), ("v1.9.10", (1, 9, 10)), ("1.19.0-rc.1", (1, 19, 0)), ("edge", None), ("", None)],
)
def test_a_version_is_read_as_numbers(text: str, version: tuple[int, ...] | None) -> None:
    """Version 1.9 is older than 1.18, though not as text; a development build has no version."""
    assert parse_version(text) == version


def test_what_is_built_is_new_enough() -> None:
    """The version we build ourselves must pass the check we make of others."""
    built = parse_version(BUILT)
    assert built is not None
    assert built >= OLDEST


def test_a_new_enough_dapr_on_the_path_is_used(machine: Path) -> None:
    """A user who has Dapr keeps using it."""
    daprd = installed(machine / "path", "daprd", "1.19.3")
    scheduler = installed(machine / "path", "scheduler")
    assert find_or_build(Progress.silent()) == (daprd, scheduler)


def test_the_folder_of_dapr_init_is_looked_in(machine: Path) -> None:
    """`dapr init` does not put its programs on the path."""
    daprd = installed(machine / "home" / ".dapr" / "bin", "daprd", "1.18.0")
    scheduler = installed(machine / "home" / ".dapr" / "bin", "scheduler")
    assert find_or_build(Progress.silent()) == (daprd, scheduler)


def test_a_dapr_that_is_too_old_is_passed_over(machine: Path) -> None:
    """Version 1.9 would be taken if versions were compared as text."""
    installed(machine / "path", "daprd", "1.9.0")
    cached = machine / "cache" / "choreography" / f"dapr-{BUILT}"
    daprd, scheduler = installed(cached, "daprd"), installed(cached, "scheduler")
    assert find_or_build(Progress.silent()) == (daprd, scheduler)


def test_a_scheduler_that_dapr_init_did_not_install_comes_from_the_cache(machine: Path) -> None:
    """With containers, `dapr init` installs daprd alone."""
    daprd = installed(machine / "home" / ".dapr" / "bin", "daprd", "1.18.1")
    scheduler = installed(machine / "cache" / "choreography" / f"dapr-{BUILT}", "scheduler")
    assert find_or_build(Progress.silent()) == (daprd, scheduler)


@pytest.mark.usefixtures("machine")
def test_no_dapr_and_no_go_is_told_with_both_ways_out() -> None:
    """The message names what is missing, why it matters and what to do."""
    with pytest.raises(MissingToolError, match=r"Neither daprd .* nor `go` .* no service can .* `dapr init --slim`"):
        find_or_build(Progress.silent())


def test_a_build_that_fails_is_told_with_its_last_lines(machine: Path) -> None:
    """A build fails for reasons of the machine, which only its own output tells."""
    go = installed(machine / "path", "go")
    go.write_text("#!/bin/sh\necho no space left on device\nexit 1\n")
    with pytest.raises(MissingToolError, match=r"failed with exit code 1[\s\S]*no space left on device"):
        find_or_build(Progress.silent())


@pytest.mark.usefixtures("machine")
def test_no_redis_anywhere_is_told_with_what_to_install() -> None:
    """Without a broker nothing can run."""
    with pytest.raises(MissingToolError, match=r"redis-server was not found.* Install it"):
        find_redis(Progress.silent())


@pytest.mark.usefixtures("machine")
def test_no_java_is_told_with_how_to_go_on_without_traces() -> None:
    """Traces are the one thing a flow can do without."""
    with pytest.raises(MissingToolError, match=r"`java` was not found.* start with --no-zipkin"):
        find_zipkin(Progress.silent())


@pytest.mark.parametrize(
    ("broker", "store", "known"), [("carrier-pigeon", "sqlite", "redis"), ("redis", "clay", "sqlite")]
)
def test_an_unknown_broker_or_store_is_told_with_the_known_ones(broker: str, store: str, known: str) -> None:
    """A misspelt name is told before anything is obtained."""
    with pytest.raises(UpError, match=rf"cannot be started here.* Choose one of: {known}"):
        prepare(Progress.silent(), broker=broker, store=store)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="needs the program that would be in the container")
def test_a_server_in_a_container_ends_when_its_input_closes(tmp_path: Path) -> None:
    """A container is no child process, so it ends when its standard input, which is ours, closes."""
    port = Ports(tmp_path / "ports.json").of("redis")
    command = Redis("docker", in_container=True).command(port, tmp_path)
    inside = [word.replace("/data", str(tmp_path)) for word in command[command.index("sh") :]]
    inside[inside.index("6379")] = str(port)
    inside[inside.index("*")] = "127.0.0.1"
    with subprocess.Popen(inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert any("Ready to accept connections" in line for line in server.stdout)
        assert server.stdin is not None
        server.stdin.close()
        assert "bye bye" in server.stdout.read()
        assert server.wait(10) is not None
