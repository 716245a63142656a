"""A run shown in three ways: as a list, as a sequence diagram, and as a test that repeats it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from choreography.explore.faults import LOST
from choreography.explore.flow_ids import ids_of
from choreography.explore.foreign import Foreign
from choreography.explore.properties import Property
from choreography.explore.releases import OLD, answered, by_old
from choreography.explore.rerunning import Replay
from choreography.explore.steps import Happened

_DEADLINE = "when the deadline"


def as_list(replay: Replay) -> list[str]:
    """Return the steps of a run as numbered sentences."""
    lines = []
    for number, one in enumerate(replay.happened, 1):
        lines.append(f"{number:>3}. {sentence(replay, one)}")
        came = what_came(one)
        if one.problem:
            came.append(f"SET ASIDE: {one.problem}")
        lines += [f"       {text}" for text in came]
    return lines


def what_came(one: Happened) -> list[str]:
    """Return phrases for the changes and the published events of a step, or a phrase that says there are none."""
    return [*one.changed, *(f"says {name}" for name in one.said)] or (["changes nothing"] if one.idle else [])


def as_loop(replay: Replay) -> list[str]:
    """Return the steps that a run repeats forever; nothing if its end does not repeat itself."""
    steps = [(one.item.style, one.item.service, one.item.text, one.replies) for one in replay.happened]
    for length in range(1, len(steps) // 2 + 1):
        if steps[-length:] == steps[-2 * length : -length]:
            begun = len(steps) - length
            lines = [f"     {sentence(replay, one)}" for one in replay.happened[begun:]]
            return ["It may go round for ever, with nothing but these steps:", *lines]
    return []


def sentence(replay: Replay, one: Happened) -> str:
    """Return one step as a sentence."""
    item, of = one.item, about(replay, one)
    service = f"the old release of {item.service}" if by_old(one.replies) else item.service
    match item.style:
        case "foreign" if isinstance(item.thing, Foreign):
            told = f"{item.thing.publisher} says {item.name}{of}"
        case "deadline":
            told = f"{service} meets its deadline {item.name}{of}"
        case "intent" if one.replies.endswith(", lost"):
            done = answered(one.replies)
            told = f"{one.sender} does what {item.name}{of} asks ({done}); the answer is lost"
        case "intent":
            told = f"{one.sender} is asked by {service} for {item.name}{of} and answers {answered(one.replies)}"
        case _ if one.replies == LOST:
            told = f"{item.name}{of} is lost on its way from {one.sender} to {service}"
        case _:
            told = f"{service} hears {item.name}{of} from {one.sender}"
    return told


def about(replay: Replay, one: Happened) -> str:
    """Return the subject of a step: its flow, if there are several, and the fields that distinguish it."""
    ids = ids_of(replay.scenario.flows)
    flow = next((flow for flow in ids.flows if ids.mentions(one.item.text, flow)), "")
    told = [f"{key}={value!r}" for key, value in _telling(replay, one, flow).items()]
    words = [f" of {flow}"] if flow and len(replay.scenario.flows) > 1 else []
    return "".join(words) + (f" ({', '.join(told)})" if told else "")


def _telling(replay: Replay, one: Happened, flow: str) -> dict[str, Any]:
    """Return the text that distinguishes an event: its reason, if any, and the fields that differ from rivals."""
    item, data = one.item, one.item.data
    if item.style == "foreign":
        # No service of this flow knows the contract of this event, so all of its fields are shown.
        return {key: value for key, value in data.items() if value != flow}
    met = [*(other.item for other in replay.happened), *replay.pending, *replay.lost]
    alike = [other for other in dict.fromkeys(met) if (other.name, other.style) == (item.name, item.style)]
    # The sentence names the flow already, so only events of the same flow are rivals.
    rivals = [other.data for other in alike if other.text != item.text and (not flow or flow in other.text)]
    differs = _distinguishing(data, rivals)
    return {key: value for key, value in data.items() if key in ("reason", "status") or key in differs}


def as_diagram(replay: Replay, broken: str) -> str:
    """Return a run as a Mermaid sequence diagram that ends in the broken property."""
    lines = ["sequenceDiagram"]
    lines += [f"    participant {_id(name)} as {name}" for name in _participants(replay)]
    for number, one in enumerate(replay.happened, 1):
        lines += [f"    {line}" for line in _arrows(replay, number, one)]
    names = [_id(name) for name in _participants(replay)]
    if names:
        lines.append(f"    Note over {','.join(dict.fromkeys((names[0], names[-1])))}: BROKEN: {_plain(broken)}")
    return "\n".join(lines) + "\n"


def _participants(replay: Replay) -> Iterator[str]:
    yield from dict.fromkeys(name for one in replay.happened for name in (one.sender, one.item.service))


def _arrows(replay: Replay, number: int, one: Happened) -> Iterator[str]:
    item = one.item
    sender, service = _id(one.sender), _id(item.service)
    what = _plain(f"{number}. {item.name}{about(replay, one)}")
    if one.replies == LOST:
        yield f"{sender}-x{service}: {what}"
    elif item.style == "foreign":
        yield f"Note over {service}: {what}"
    elif item.style == "intent":
        yield f"{service}->>{sender}: {what}"
        yield f"{sender}--{'x' if one.replies.endswith(', lost') else '>>'}{service}: {answered(one.replies)}"
    else:
        yield f"{sender}{'-->>' if item.style == 'deadline' else '->>'}{service}: {what}"
    notes = [
        *(["the old release"] if by_old(one.replies) else []),
        *(one.changed or (["changes nothing"] if one.idle else [])),
        *([f"quarantined: {one.problem}"] if one.problem else []),
    ]
    if notes:
        yield f"Note over {service}: {_plain('<br/>'.join(notes))}"


def as_test(replay: Replay, prop: Property, command: str) -> str:
    """Return a test that repeats a run and checks the property, ready to be committed."""
    flow = replay.model.name
    steps = "\n".join(f"    {line}" for line in _calls(replay))
    named, first = replay.scenario.name, next(iter(replay.model.makers))
    usual = replay.model.maker(named).settings
    made = f", {_quoted(named)}" if named not in ("", first) else ""
    made += "".join(f", {key}={value!r}" for key, value in replay.scenario.settings if usual.get(key) != value)
    name = re.sub(r"\W+", "_", prop.text.lower()).strip("_")
    doctext = prop.text.rstrip(".")
    return (
        f'"""Found by `{command}`: a run in {len(replay.happened)} steps to what must not be."""\n\n'
        "from choreography.explore import Replay\n\n\n"
        f"def test_{name}() -> None:\n"
        f'    """{doctext}."""\n'
        f'    run = Replay("{flow}"{made})\n{steps}\n'
        f'    run.check("{prop.name}")\n'
    )


def _calls(replay: Replay) -> Iterator[str]:
    """Write each step with only the words that distinguish it from the other possible steps."""
    again = Replay(replay.model, replay.scenario)
    for one in replay.happened:
        item = one.item
        rivals = [other for other in again.pending if (other.service, other.name) == (item.service, item.name)]
        fields = _distinguishing(item.data, [other.data for other in rivals if other.text != item.text])
        told = "".join(f", {key}={_quoted(value)}" for key, value in fields.items())
        if one.replies == LOST:
            yield f'run.loses("{item.service}", "{item.name}"{told})'
        elif one.replies == OLD and item.style != "intent":
            yield f'run.old_hears("{item.service}", "{item.name}"{told})'
        elif item.style == "foreign":
            yield f'run.comes("{item.name}"{told})'
        elif item.style == "intent":
            yield f'run.asks("{item.service}", "{item.name}", replies="{one.replies}"{told})'
        else:
            yield f'run.hears("{item.service}", "{item.name}"{told})'
        again.take(item.style, item.service, item.type, item.text, one.replies)


def _distinguishing(data: dict[str, Any], others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    left = list(others)
    for key, value in data.items():
        without = [other for other in left if other.get(key) == value]
        if len(without) < len(left):
            chosen[key] = value
            left = without
    return chosen


def _quoted(value: Any) -> str:
    """Write a value in the style of the formatter."""
    return f'"{value}"' if isinstance(value, str) and not set('"\\\n') & set(value) else repr(value)


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name)


def _plain(text: str) -> str:
    """Return a text without the characters that have a meaning in Mermaid."""
    return text.replace(";", ",").replace("#", "no. ").replace("\n", " ")
