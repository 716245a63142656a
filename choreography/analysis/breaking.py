"""The promises that a change breaks: compares the old promise with the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from choreography.analysis.compatibility import unmet
from choreography.analysis.lost_fields import lost_fields
from choreography.analysis.promises import Promise, PromisePlace


def broken(place: PromisePlace, old: Promise, new: Promise) -> list[str]:
    """Return, in words, the promises that a change breaks."""
    return list(_BROKEN[place.section](old, new))


def _service(_old: Promise, _new: Promise) -> Iterator[str]:
    yield from ()


def _event(old: Promise, new: Promise) -> Iterator[str]:
    # The lock of an earlier release of the library has the topic, which now follows from the type.
    yield from _changed(old, new, {"owner": "its owner", "subject": "its subject"})
    for problem in unmet(new["schema"], old["schema"]):
        yield f"a consumer of before would refuse it, because {problem}"
    for problem in unmet(old["schema"], new["schema"]):
        yield f"an event of before, still in flight, would be refused, because {problem}"


def _entity(old: Promise, new: Promise) -> Iterator[str]:
    yield from _changed(old, new, {"key": "its key"})
    for path in sorted(set(lost_fields(old["schema"], new["schema"])) - set(new["drops"])):
        yield f"{path} is kept and would be passed over, and whatever replaces it would begin with its default"
    for problem in unmet(old["schema"], new["schema"]):
        yield f"what is kept could not be read, because {problem}"


def _reaction(old: Promise, new: Promise) -> Iterator[str]:
    for name in sorted(set(old["names"]) - set(new["names"])):
        yield f"no reaction to it that says something is named {name!r} any more"


def _join(old: Promise, new: Promise) -> Iterator[str]:
    yield from _changed(old, new, {"entity": "its entity"})
    gone, come = sorted(set(old["awaits"]) - set(new["awaits"])), sorted(set(new["awaits"]) - set(old["awaits"]))
    if gone:
        yield f"it does not wait for {', '.join(gone)} any more, and may hold it"
    if come:
        yield f"it waits for {', '.join(come)} as well, which may have come before"


def _deadline(old: Promise, new: Promise) -> Iterator[str]:
    # The starting event may change: a deadline that the old one scheduled fires all the same.
    yield from _changed(old, new, {"entity": "its entity", "due": "the type it fires as"})


def _effect(old: Promise, new: Promise) -> Iterator[str]:
    yield from _changed(old, new, {"outside": "the outside it calls"})
    for path in lost_fields(old["intent"], new["intent"]):
        yield f"a committed intent may hold {path}, which would be passed over"
    for problem in unmet(old["intent"], new["intent"]):
        yield f"a committed intent could not be read, because {problem}"


def _answer(old: Promise, new: Promise) -> Iterator[str]:
    for problem in unmet(old["schema"], new["schema"]):
        yield f"a recorded answer could not be read, because {problem}"


def _command(old: Promise, new: Promise) -> Iterator[str]:
    yield from _changed(old, new, {"event": "its event"})
    if old["new_ids"] != new["new_ids"]:
        was, now = (", ".join(one["new_ids"]) or "none" for one in (old, new))
        yield f"its new ids were named {was} and are named {now}, so a retry would get others"


def _changed(old: Promise, new: Promise, words: Mapping[str, str]) -> Iterator[str]:
    for key, word in words.items():
        if key in old and old[key] != new[key]:
            yield f"{word} was {old[key]!r} and is {new[key]!r}"


_BROKEN: Final[Mapping[str, Callable[[Promise, Promise], Iterator[str]]]] = {
    "services": _service,
    "events": _event,
    "entities": _entity,
    "reactions": _reaction,
    "joins": _join,
    "deadlines": _deadline,
    "effects": _effect,
    "answers": _answer,
    "commands": _command,
}
