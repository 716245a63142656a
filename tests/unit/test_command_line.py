"""Every command answers bad input with a sentence and exit code 2, and never with a stack."""

from __future__ import annotations

import importlib
import inspect
import itertools
import random
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from choreography import cli
from choreography.exit_codes import BROKEN, CANNOT_RUN, HOLDS, NOT_ALL_SEEN
from choreography.explore.result import SearchBounds
from tests.rendered_flow import rendered_flow

ROOT = Path(__file__).resolve().parents[2]
CHECKOUT = str(ROOT / "apps" / "checkout")
RENDERED = rendered_flow() / "dapr"
DAPR = str(RENDERED / "kafka")
REDIS = str(ROOT / "components" / "brokers" / "redis.yaml")
NUMBERS = itertools.count()

SERVICE = """
from choreography import Decision, Entity, Event, Id, Service, nothing

class Asked(Event, owner="desk", subject="case_id", type="case.asked.v1"):
    case_id: Id

class Case(Entity, key="case_id"):
    case_id: Id
    seen: bool = False

desk = Service("desk", publishes=[Asked])

@desk.on(Asked)
def see(case: Case, asked: Asked) -> Decision:
    return nothing if case.seen else case.but(seen=True)
"""

PROPERTIES = """
from choreography.explore import Scenario, World, always, never, scenario, sometimes
from {package}.desk import Asked, Case

@scenario
def cases(number: int = 1, name: str = "case", quick: bool = False) -> Scenario:
    flows = tuple(f"{{name}}-{{one}}" for one in range(1, number + 1))
    return Scenario(flows, says=tuple(Asked(case_id=one) for one in flows))

@never
def two_at_once(world: World, case_id: str) -> bool:
    return len(world.said(Asked, case_id)) > 1
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """Run the command line as a person would, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("COLUMNS", "200")

    def typed(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["choreography", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0 if code is None else 1, told.out, told.err)

    return typed


def flow_in(folder: Path, **files: str) -> str:
    """Write a valid flow of one service under a new name, with the given files in place of its own."""
    package = f"desk_{next(NUMBERS)}"
    (folder / package).mkdir()
    texts = {"__init__": "", "desk": SERVICE, "properties": PROPERTIES} | files
    for name, text in texts.items():
        (folder / package / f"{name}.py").write_text(
            text.replace("{package}", package).replace("{{", "{").replace("}}", "}")
        )
    importlib.invalidate_caches()
    return package


def refused(ended: Ended) -> str:
    """Return the message with which a command refused."""
    assert ended.code == CANNOT_RUN, ended
    assert "Traceback" not in ended.out + ended.err
    words = " ".join(re.sub("[│╭╮╰╯─]", " ", ended.err).split())
    assert len(words) > 20
    assert words.endswith((".", "?")) or words.startswith("Usage: ")
    return words


def _id(value: Sequence[str] | str) -> str:
    """Name a case by its command line; the rendered folder's name differs in each process."""
    return value if isinstance(value, str) else " ".join(value).replace(f"{RENDERED}/", "")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["check"], "Missing argument"),
        (["check", "nowhere"], "There is no package 'nowhere'"),
        (["check", ""], "is not the name of a package"),
        (["check", ".."], "is not the name of a package"),
        (["check", "a b"], "is not the name of a package"),
        (["check", "os"], "is a module, but a flow is a package"),
        (["check", "apps.checkout", "--format", "xml"], "there are text, json, sarif"),
        (["render", ""], "is not the name of a package"),
        (["render", "nowhere", "--check"], "There is no package 'nowhere'"),
        (["render", "apps.checkout", "--topic-prefix", "A B"], "cannot be the prefix of topics"),
        (["new", "9lives"], "is no Python name"),
        (["new", "a b"], "is no Python name"),
        (["up", "nowhere"], "cannot be read"),
        (["up", REDIS], "is not a Dapr multi-app run file"),
        (["up", CHECKOUT, "--orders", "0"], "Invalid value"),
        (["up", CHECKOUT, "--broker", "pigeon"], "choose one that is there"),
        (["up", CHECKOUT, "--topic-prefix", "mine"], "is no package below this folder"),
        (["tools", "--broker", "pigeon"], "Choose one of: redis"),
        (["provision", "nowhere", "--address", "x"], "is not a folder"),
        (["provision", DAPR], "Missing option '--address'"),
        (["provision", str(RENDERED / "rabbitmq"), "--address", "nonsense"], "could not be provisioned"),
        (["provision", str(RENDERED / "nats"), "--address", "localhost:1"], "did not make the streams"),
        (["drain", "nowhere", "--address", "x"], "is not a folder"),
        (["drain", DAPR, "--address", "x", "--within", "soon"], "is no span of time"),
        (["drain", DAPR, "--address", "x", "--within", "-5s"], "less than no time"),
        (["drain", DAPR, "--address", "x", "--within", "1e300d"], "is no span of time"),
        (["conform", "nowhere.yaml"], "cannot be read as a component"),
        (["conform", sys.executable], "cannot be read as a component"),
        (["conform", REDIS, "--start", "pigeon"], "Known are: redis"),
        (["conform", REDIS, "--resiliency", "nowhere"], "cannot be read as a Resiliency"),
        (["conform", REDIS, "--resiliency", REDIS], "cannot be read as a Resiliency"),
        (["conform", REDIS, "--patience", "nan"], "no number of seconds above zero"),
        (["conform", REDIS, "--start", "redis", "--only", "nothing"], "No case has 'nothing' in its name"),
        (["serve", ""], "cannot be imported"),
        (["serve", "nowhere"], "There is no module 'nowhere'"),
        (["serve", "os"], "declares none"),
        (["explore"], "Name the package of a flow"),
        (["explore", "nowhere"], "There is no package 'nowhere'"),
        (["explore", "nowhere:model"], "There is no module 'nowhere'"),
        (["explore", "os:path"], "holds no model 'path'"),
        (["explore", "apps.checkout", "--scenario", "nope"], "it has orders"),
        (["explore", "apps.checkout", "--orders", "two"], "cannot be 'two'"),
        (["explore", "apps.checkout", "--orders=-1"], "nothing would ever happen"),
        (["explore", "apps.checkout", "--orders", "-1"], "nothing would ever happen"),
        (["explore", "apps.checkout", "--orders", "1.5"], "cannot be '1.5'"),
        (["explore", "apps.checkout", "--orders"], "--orders needs a value"),
        (["explore", "apps.checkout", "--no-orders"], "has no such setting"),
        (["explore", "apps.checkout", "--cancle"], "Did you mean --cancel?"),
        (["explore", "apps.checkout", "--cancel=maybe"], "cannot be 'maybe'"),
        (["explore", "apps.checkout", "--no-cancel=true"], "takes no value"),
        (["explore", "apps.checkout", "two"], "'two' stands alone"),
        (["explore", "apps.checkout", "--sed", "5"], "Did you mean --seed?"),
        (["explore", "apps.checkout", "--seed", "5"], "without --random there are none"),
        (["explore", "apps.checkout", "--random", "5", "--states", "9"], "random runs keep nothing"),
        (["explore", "apps.checkout", "--random", "-5"], "Invalid value"),
        (["explore", "apps.checkout", "--depth", "0"], "Invalid value"),
        (["explore", "apps.checkout", "--seconds", "-1"], "no number of seconds above zero"),
    ],
    ids=_id,
)
def test_bad_input_is_answered_with_a_sentence(run: Callable[..., Ended], words: Sequence[str], told: str) -> None:
    """The message says what happened and what to do; the exit code says that nothing was found out."""
    assert told in refused(run(*words))


BROKEN_MODULES = {
    "a syntax error": ("def broken(:\n", "SyntaxError in {package}/desk.py, line 1"),
    "an import of nothing": ("import nothing_there\n", "ModuleNotFoundError in {package}/desk.py, line 1"),
    "an error": ("x = 1\n\ny = x / 0\n", "ZeroDivisionError in {package}/desk.py, line 3: division by zero"),
    "an end of the process": ("import sys\nsys.exit(3)\n", "SystemExit in {package}/desk.py, line 2"),
    "an assertion": ("assert False\n", "AssertionError in {package}/desk.py, line 1"),
    "no text": ("\0", "cannot be imported"),
    "a contract that cannot be": (
        "from choreography import Event\nclass Asked(Event, owner='desk', subject='no', type='case.asked.v1'): pass\n",
        "subject",
    ),
    "no service": ("x = 1\n", "exposes a Service"),
}


@pytest.mark.parametrize("command", ["check", "explore", "render"])
@pytest.mark.parametrize(("text", "told"), BROKEN_MODULES.values(), ids=BROKEN_MODULES)
def test_a_flow_that_cannot_be_imported_is_told_with_its_place(
    run: Callable[..., Ended], tmp_path: Path, command: str, text: str, told: str
) -> None:
    """The author needs the file and the line, and no stack trace of ours."""
    package = flow_in(tmp_path, desk=text)
    assert told.replace("{package}", package) in refused(run(command, package))


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ("x = 1 / 0\n", "ZeroDivisionError in {package}/properties.py, line 1"),
        ("x = 1\n", "declares no scenario"),
        (PROPERTIES.replace("> 1", "> 1 / 0"), "The property two_at_once failed"),
        (PROPERTIES.replace("return len", "len"), "answered None"),
        (PROPERTIES.replace("def two", "async def two"), "says neither that it holds"),
        (PROPERTIES.replace("    return len(world.said(Asked, case_id)) > 1", "    yield True"), "says neither"),
        (PROPERTIES.replace("    return len(world.said(Asked, case_id)) > 1", "    return world.said"), "says neither"),
        (PROPERTIES.replace("@never", "@sometimes(quik=True)"), "Did you mean quick?"),
        (PROPERTIES.replace("@never", "@sometimes(quick='very')"), "no scenario can be made"),
        (PROPERTIES.replace("    flows =", "    raise OSError('no disk')\n    flows ="), "OSError in {package}/prop"),
        (PROPERTIES.replace("    return Scenario(", "    return print("), "could not be made"),
        (PROPERTIES.replace("    return Scenario(flows, says=", "    return list("), "is [Asked"),
        (PROPERTIES.replace("quick:", "depth:"), "is an option of `choreography explore` itself"),
        (PROPERTIES.replace("number: int = 1", "number: int"), "Give every parameter a default"),
        (PROPERTIES.replace("Scenario(flows", "Scenario(flows[0]"), "which is no tuple"),
        (PROPERTIES.replace("Scenario(flows", "Scenario(flows * 2"), "is there twice"),
    ],
)
def test_properties_that_cannot_be_judged_are_refused(
    run: Callable[..., Ended], tmp_path: Path, properties: str, told: str
) -> None:
    """A property that raises, returns nothing or is never checked must not look as if it held."""
    package = flow_in(tmp_path, properties=properties)
    assert told.replace("{package}", package) in refused(run("explore", package))


def test_an_outside_that_raises_is_told_as_the_authors_mistake(run: Callable[..., Ended], tmp_path: Path) -> None:
    """It is not a failure of the effect that called it."""
    words = """
from choreography import Answer, Intent, Outside

class Fetch(Intent):
    case_id: Id

class Fetched(Answer, type="case.fetched.v1"):
    case_id: Id

desk = Service"""
    effect = """
@desk.effect(outside="archive")
async def fetch(wish: Fetch, archive: Outside) -> Fetched:
    await archive.post("/fetch", wish)
    return Fetched(case_id=wish.case_id)

@desk.on(Fetched)
def note(case: Case, fetched: Fetched) -> Decision:
    return nothing
"""
    asks = "case.but(seen=True), Fetch(case_id=case.case_id)"
    service = SERVICE.replace("desk = Service", words).replace("-> Decision:", "-> Decision[Fetch]:")
    service = service.replace("case.but(seen=True)", f"({asks})") + effect
    answers = "\nfrom choreography.explore import outside\n\n@outside('archive')\n"
    answers += "def archive(path, body):\n    return {body}\n"
    for body, told in (("{}['no']", "KeyError in"), ("None", "TypeError"), ("('yes',)", "'yes' is no Reply")):
        package = flow_in(
            tmp_path, desk=service, properties=PROPERTIES + answers.replace("{body}", body.replace("{}", "dict()"))
        )
        assert "The outside archive could not say" in (sentence := refused(run("explore", package)))
        assert told in sentence


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], HOLDS, "cases(number=1, name=case, quick=False)"),
        (["--number=2"], HOLDS, "number=2"),
        (["--number", "2", "--quick"], HOLDS, "quick=True"),
        (["--quick", "false"], HOLDS, "quick=False"),
        (["--quick=true"], HOLDS, "quick=True"),
        (["--no-quick"], HOLDS, "quick=False"),
        (["--name=--odd"], HOLDS, "name=--odd"),
        (["--name", "7777"], HOLDS, "name=7777"),
        (["--random", "20", "--seed", "1"], HOLDS, "seed 1"),
        (["--number", "9", "--random", "500000", "--seconds", "0.2"], NOT_ALL_SEEN, "NOT EVERYTHING WAS SEEN"),
        (["--number", "3", "--random", "3", "--depth", "1"], NOT_ALL_SEEN, "NOT EVERYTHING WAS SEEN"),
        (["--number", "1", "--random", "3", "--depth", "1"], HOLDS, "runs"),
        (["--number", "4", "--states", "1"], NOT_ALL_SEEN, "NOT EVERYTHING WAS SEEN"),
    ],
)
def test_settings_and_options_do_what_they_say(
    run: Callable[..., Ended], tmp_path: Path, words: Sequence[str], code: int, told: str
) -> None:
    """They work in every form that a command line allows."""
    ended = run("explore", flow_in(tmp_path), *words)
    assert (ended.code, ended.err) == (code, "")
    assert told in ended.out


def test_a_scenario_of_ten_flows_is_explored_as_any_other(run: Callable[..., Ended], tmp_path: Path) -> None:
    """`case-1` is no part of `case-10`: events of the tenth are not taken for those of the first."""
    package = flow_in(tmp_path)
    assert run("explore", package, "--number", "10").code == HOLDS
    broken = flow_in(tmp_path, properties=PROPERTIES.replace("> 1", "> 0"))
    assert run("explore", broken, "--number", "11").code == BROKEN


def test_the_help_lists_scenarios_with_their_settings_and_true_defaults(
    run: Callable[..., Ended], tmp_path: Path
) -> None:
    """A user should learn how to explore a flow without reading its code."""
    ended = run("explore", flow_in(tmp_path), "--help")
    assert ended.code == HOLDS
    assert "--scenario cases (the default)" in ended.out
    assert "--number INTEGER  (default: 1)" in ended.out
    assert "--quick / --no-quick  (default: --no-quick)" in ended.out
    usual = SearchBounds()
    for number in (usual.states, usual.depth, int(usual.seconds)):
        assert f"({number})" in ended.out
    assert run("explore", "--help").code == HOLDS
    refused(run("explore", "nowhere", "--help"))


def test_a_mistake_of_ours_is_told_as_ours(run: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> None:
    """Even then there is a message, and the stack trace only on request."""

    def fails(*_: object, **__: object) -> None:
        raise KeyError("lost")

    monkeypatch.setattr(cli, "prepare", fails)
    assert "Choreography itself failed: KeyError" in refused(run("tools"))
    monkeypatch.setenv("CHOREOGRAPHY_STACK", "1")
    with pytest.raises(KeyError):
        run("tools")


def test_a_disk_that_refuses_is_told(run: Callable[..., Ended], tmp_path: Path) -> None:
    """It is neither a mistake of the flow nor ours."""
    (tmp_path / "taken").write_text("a file")
    assert "taken cannot be used (Not a directory)" in refused(run("new", "taken"))


JUNK = (
    "",
    " ",
    "-1",
    "two",
    "nan",
    "1e400",
    "\u2603",
    "a.b:c",
    "..",
    "/",
    "[]",
    "--",
    "{}",
    "'",
    "10" * 20,
    "a/b.yaml",
)
COMMANDS = ("new", "up", "provision", "drain", "conform", "render", "check", "explore", "serve")


def options_of(command: str) -> list[str]:
    """Return every option of a command."""
    (found,) = (one for one in cli.app.registered_commands if (one.name or one.callback.__name__) == command)  # type: ignore[union-attr]
    hints = inspect.get_annotations(found.callback, eval_str=True) if found.callback else {}
    declared = {
        word for hint in hints.values() for word in re.findall(r"--[a-z-]+", str(getattr(hint, "__metadata__", "")))
    }
    named = {f"--{name.replace('_', '-')}" for name in hints if name not in ("flow", "return", "context", "help_")}
    return [*sorted(declared | named), "--odd"]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_that_can_be_typed_is_answered_with_a_stack(run: Callable[..., Ended], command: str) -> None:
    """Fuzzed from a seed: no flow or file of these names is there, so the exit code must be 2."""
    chance = random.Random(f"choreography {command}")
    for _ in range(25):
        words = [f"no-{chance.choice(JUNK)}" if command == "new" else f"nowhere{chance.choice(JUNK)}"]
        for _ in range(chance.randrange(4)):
            words.append(chance.choice(options_of(command)))
            if chance.random() < 0.8:
                words.append(chance.choice(JUNK))
        chance.shuffle(words)
        ended = run(command, *words)
        assert ended.code == CANNOT_RUN, (words, ended)
        assert "Traceback" not in ended.out + ended.err, words
        assert "Choreography itself failed" not in ended.err, (words, ended.err)
