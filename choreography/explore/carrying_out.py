"""Every way to carry out an intent: the production effect against the declared outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson

from choreography.authored import told
from choreography.contracts import Answer, Value
from choreography.declaration import Effect
from choreography.errors import OutsideUnavailableError
from choreography.explore.determinism import Call
from choreography.explore.properties import ExploreError
from choreography.explore.scenario import OutsideModel
from choreography.outside import Reply


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """One way to carry out an intent: the calls that the outside replied to, and the result of the effect."""

    calls: tuple[str, ...]
    replies: tuple[Reply, ...]
    answer: Answer | None
    problem: str = ""
    label: str = ""
    """What the outside said, in short; no two ways have the same."""


class _OpenChoiceError(Exception):
    """The effect made one call more than there are chosen replies."""


class _Scripted:
    """An outside with replies that were chosen before. It records each call, and the replies that are possible."""

    def __init__(self, effect: Effect, model: OutsideModel, chosen: Sequence[Reply], noted: list[Call]) -> None:
        self._effect, self._model, self._chosen, self._noted = effect, model, chosen, noted
        self.calls: list[str] = []
        self.open: tuple[Reply, ...] = ()

    async def post(self, path: str, body: Value) -> Reply:
        """Return the next chosen reply."""
        data: Mapping[str, object] = body.model_dump(mode="json")
        self._noted.append((self._effect.name, f"POST {path} {body.model_dump_json()}"))
        if len(self.calls) == len(self._chosen):
            self.open = self._replies(path, data)
            if not self.open:
                raise ExploreError(
                    f"The outside {self._model.name} declares no reply to POST {path}, so a flow that calls it would "
                    "never end. Return at least one Reply."
                )
            raise _OpenChoiceError
        reply = self._chosen[len(self.calls)]
        self.calls.append(call_text(self._model.name, path, data, reply))
        return reply

    def _replies(self, path: str, data: Mapping[str, object]) -> tuple[Reply, ...]:
        problem = ""
        try:
            replies = tuple(self._model.answers(path, data))
        except Exception as error:  # noqa: BLE001 - any error is the outside's, and not the effect's
            problem, replies = told(error), ()
        strange = [one for one in replies if not isinstance(one, Reply)]
        if problem or strange:
            raise ExploreError(
                f"The outside {self._model.name} could not say how it answers POST {path}: "
                f"{problem or f'{strange[0]!r} is no Reply'}. Nothing can be explored without; return Reply(201, {{}})."
            )
        self._noted.append((f"the outside {self._model.name}", repr(replies)))
        return replies


def ways(effect: Effect, body: str, model: OutsideModel, noted: list[Call] | None = None) -> list[CarriedOut]:
    """Return every way to carry out one intent, in the order in which the outside declares its replies.

    Args:
        effect: the function that carries it out.
        body: the intent.
        model: the outside.
        noted: receives the calls, replies and possible replies, in the order in which they happened.
    """
    found: list[CarriedOut] = []
    labels: Counter[str] = Counter()
    for way in _ways(effect, body, model, [] if noted is None else noted):
        label = ", ".join(str(reply.status) for reply in way.replies)
        labels[label] += 1
        number = f" (reply {labels[label]})" if labels[label] > 1 else ""
        found.append(replace(way, label=label + number))
    return found


def _ways(effect: Effect, body: str, model: OutsideModel, noted: list[Call]) -> Iterator[CarriedOut]:
    waiting: list[tuple[Reply, ...]] = [()]
    while waiting:
        chosen = waiting.pop(0)
        outside = _Scripted(effect, model, chosen, noted)
        try:
            answer = _finished(effect, body, outside)
        except _OpenChoiceError:
            waiting += [(*chosen, reply) for reply in outside.open]
        except OutsideUnavailableError:
            # The call is repeated until a reply comes: nothing has happened yet.
            continue
        except ExploreError:
            raise
        except Exception as error:  # noqa: BLE001 - in production, too, a person looks at any error of an effect
            problem = f"The effect {effect.name} failed: {type(error).__name__}: {error}"
            noted.append((effect.name, problem))
            yield CarriedOut(tuple(outside.calls), chosen, None, problem)
        else:
            noted.append((effect.name, repr(answer)))
            yield CarriedOut(tuple(outside.calls), chosen, answer)


def _finished(effect: Effect, body: str, outside: _Scripted) -> Answer:
    coroutine = effect.function(effect.intent.model_validate_json(body), outside)
    try:
        coroutine.send(None)
    except StopIteration as end:
        answer: Answer = end.value
        return answer
    coroutine.close()
    raise ExploreError(
        f"The effect {effect.name} waits for something else than the outside it was given, so it cannot be explored. "
        "Let it await nothing but post()."
    )


def call_text(outside: str, path: str, body: Mapping[str, object], reply: Reply) -> str:
    """Return the canonical text of one call; equal calls have equal texts."""
    told = [outside, path, body, reply.status, reply.body]
    return orjson.dumps(told, option=orjson.OPT_SORT_KEYS).decode()
