"""The settings of a scenario as options of the command line, and their text in the help."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterator, Sequence
from difflib import get_close_matches
from typing import Any

from choreography.explore.faults import FAULT_TEXTS, LISTED
from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.explore.scenario import Scenario, ScenarioMaker


def settings_in(words: Sequence[str], maker: ScenarioMaker, options: Collection[str] = ()) -> dict[str, Any]:
    """Read ``--orders 2``, ``--orders=2``, ``--cancel`` and ``--no-cancel`` as settings of a scenario.

    Args:
        words: the rest of the command line.
        maker: the scenario.
        options: the options of the command itself, such as ``--depth``.

    Raises:
        ExploreError: a word is no setting of this scenario, or its value cannot be read.
    """
    _refuse_hidden(maker, options)
    settings: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word, found, value = waiting.pop(0).partition("=")
        name, off = _setting(word, maker, options)
        before = settings.get(name)
        if off and not found:
            settings[name] = False
        elif found and not off:
            settings[name] = maker.read(name, value)
        elif off:
            raise ExploreError(f"{word} takes no value. Write {word}, or --{_dashed(name)}={value}.")
        elif maker.kind(name) is bool:
            follows = bool(waiting) and waiting[0].lower() in ("true", "false")
            settings[name] = maker.read(name, waiting.pop(0)) if follows else True
        elif not waiting or waiting[0].startswith("--"):
            raise ExploreError(f"{word} needs a value. Write {word} {maker.usual(name) or _kind(str)}.")
        else:
            settings[name] = maker.read(name, waiting.pop(0))
        if name in LISTED and name in maker.faults:
            settings[name] = ",".join([*([before] if before else []), settings[name]])
    return settings


def options_of(scenario: Scenario, model: Model) -> str:
    """Return the options that make the same scenario again."""
    first, usual = next(iter(model.makers)), dict(model.makers[scenario.name].settings) if scenario.name else {}
    words = [] if scenario.name in ("", first) else [f"--scenario {scenario.name}"]
    for name, value in scenario.settings:
        if name in usual and usual[name] == value:
            continue
        option = _dashed(name)
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            between = "=" if str(value).startswith("-") else " "
            words.append(f"--{option}{between}{shlex.quote(str(value))}")
    return "".join(f" {word}" for word in words)


def described(model: Model) -> Iterator[str]:
    """Yield the help of each scenario of a flow: its name, its purpose, and its settings."""
    for number, maker in enumerate(model.makers.values()):
        usual = " (the default)" if number == 0 else ""
        yield f"--scenario {maker.name}{usual}{f': {maker.text}' if maker.text else ''}"
        for name, default in maker.settings.items():
            option = _dashed(name)
            if maker.kind(name) is bool:
                yield f"    --{option} / --no-{option}  (default: {'--' if default else '--no-'}{option})"
            else:
                yield f"    --{option} {_kind(maker.kind(name))}  (default: {default})"


def faults_described(model: Model) -> Iterator[str]:
    """Yield the help of the faults that any scenario of a flow may have."""
    faults = {name: usual for maker in model.makers.values() for name, usual in maker.faults.items()}
    for name, usual in faults.items():
        yield f"--{_dashed(name)} {_kind(type(usual))}  {FAULT_TEXTS[name]} (default: {usual or 'none'})"


def _setting(word: str, maker: ScenarioMaker, options: Collection[str]) -> tuple[str, bool]:
    """Return the setting that a word names, and whether the word switches it off."""
    if not word.startswith("--"):
        raise ExploreError(
            f"{word!r} stands alone, so it is unclear what it is for. Settings of a scenario are written after the "
            f"flow: {_usage(maker)}."
        )
    name = word.removeprefix("--").replace("-", "_")
    if name in maker.settings or name in maker.faults:
        return name, False
    positive = name.removeprefix("no_")
    if name.startswith("no_") and positive in maker.settings and maker.kind(positive) is bool:
        return positive, True
    known = [f"--{_dashed(one)}" for one in (*maker.settings, *maker.faults)]
    raise ExploreError(
        f"There is no option {word}, and the scenario {maker.name} has no such setting."
        f"{_near(word, [*known, *options])} Its settings: {_usage(maker)}."
    )


def _refuse_hidden(maker: ScenarioMaker, options: Collection[str]) -> None:
    hidden = [name for name in maker.settings if f"--{_dashed(name)}" in options]
    if hidden:
        raise ExploreError(
            f"The scenario {maker.name} has the setting {hidden[0]}, but --{_dashed(hidden[0])} is an option of "
            "`choreography explore` itself, so it could never be set. Give it another name."
        )


def _usage(maker: ScenarioMaker) -> str:
    words = (
        f"--{_dashed(name)}" if maker.kind(name) is bool else f"--{_dashed(name)} {default}"
        for name, default in maker.settings.items()
    )
    return ", ".join(words) or "none"


def _near(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f" Did you mean {near[0]}?" if near else ""


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _kind(kind: Any) -> str:
    return {int: "INTEGER", float: "NUMBER", str: "TEXT"}.get(kind, str(getattr(kind, "__name__", kind)).upper())
