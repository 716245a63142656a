"""Every rule, in the order of its code. Codes are frozen: suppressions name them."""

from __future__ import annotations

from typing import Final

from choreography.check.compensation import unreached
from choreography.check.contracts import breaking, misread, unlocked
from choreography.check.cycles import unbounded
from choreography.check.events import unheard, unpublished, unsaid
from choreography.check.exactness import changing
from choreography.check.files import unsafe
from choreography.check.finding import CheckedFlow, Found, Rule
from choreography.check.ownership import shared, unowned
from choreography.check.releases import effects, names, state, waits
from choreography.check.totality import partial, untried
from choreography.check.versions import missed_versions
from choreography.check.waiting import endless, hasty


def _nowhere(_: CheckedFlow) -> list[Found]:
    """Yield nothing: the module that applies suppressions makes the findings about them."""
    return []


RULES: Final = (
    Rule(
        "CHO101",
        "an event nobody consumes",
        "What is published and never heard is either a step somebody forgot to write, or an end that should say so.",
        unheard,
    ),
    Rule(
        "CHO102",
        "a reaction to an event nobody publishes",
        "The reaction never runs, and whatever waits for it waits for ever.",
        unpublished,
    ),
    Rule(
        "CHO103",
        "a declared event that is never said",
        "Other services may rely on it, and it never comes.",
        unsaid,
    ),
    Rule(
        "CHO111",
        "a consumer that needs what its publisher does not promise",
        "An event the consumer cannot read is quarantined there, and its flow stands still until a person looks.",
        misread,
    ),
    Rule(
        "CHO112",
        "a breaking change without a new version",
        "Services are never all replaced at one moment, and events of before are still in flight or published again.",
        breaking,
    ),
    Rule(
        "CHO113",
        "a contract that is not locked",
        "A promise that is not written down can be broken without anybody noticing.",
        unlocked,
    ),
    Rule(
        "CHO114",
        "kept state that the next release would not find or read",
        "Entities outlive every release. One that is not found begins anew, and a field that is passed over begins "
        "with its default, so what was done is done again.",
        state,
    ),
    Rule(
        "CHO115",
        "a wait that the next release would forget",
        "Joins are half filled and deadlines pending while a release is deployed, and they are found by their names.",
        waits,
    ),
    Rule(
        "CHO116",
        "a name that ids derive from",
        "The same event or the same request, handled once more by the next release, would be another one to everybody.",
        names,
    ),
    Rule(
        "CHO117",
        "an effect that the next release would not carry on",
        "Intents are committed and calls are under way while a release is deployed, each under the key of its effect.",
        effects,
    ),
    Rule(
        "CHO118",
        "versions of an event that pass each other by",
        "Whoever hears one version of an event gets all of them, and quarantines each that it does not know.",
        missed_versions,
    ),
    Rule(
        "CHO119",
        "a contract that changes what it holds each time it is read",
        "A value is read by every consumer, from the store and again after a repeat, and must be the same fact to all.",
        changing,
    ),
    Rule(
        "CHO201",
        "a compensation that does not reach whoever acted",
        "What one service takes back stays done in the other: stock stays reserved, money stays charged.",
        unreached,
    ),
    Rule(
        "CHO202",
        "a wait without a deadline",
        "If one of the awaited events never comes, the flow never ends and nobody notices.",
        endless,
    ),
    Rule(
        "CHO203",
        "a deadline shorter than what it waits for",
        "It gives up on flows in which nothing is wrong but a slow answer.",
        hasty,
    ),
    Rule(
        "CHO204",
        "an unbounded circle of events",
        "One event would go round for ever, and each round publishes more.",
        unbounded,
    ),
    Rule(
        "CHO301",
        "a reaction without an answer in some state",
        "Events come in any order, so every state is met some day; then the event is quarantined and its flow stands "
        "still.",
        partial,
    ),
    Rule(
        "CHO302",
        "a reaction that could not be tried",
        "Nobody knows whether it has an answer in every state.",
        untried,
    ),
    Rule(
        "CHO303",
        "two services that own one kind of entity",
        "Each would change its own copy and believe it to be the truth.",
        shared,
    ),
    Rule(
        "CHO304",
        "an event of another service that names no owner",
        "Scopes say who may publish to a topic; only the contract says whose events a consumer accepts there.",
        unowned,
    ),
    Rule(
        "CHO401",
        "a Dapr file that loses messages",
        "No probe can see it while everything goes well, and nothing brings the messages back.",
        unsafe,
    ),
    Rule(
        "CHO901",
        "a suppression that suppresses nothing",
        "It would hide the next finding of its kind, which nobody has given a reason for.",
        _nowhere,
    ),
    Rule(
        "CHO902",
        "a suppression without a reason",
        "Whoever reads it later cannot tell whether it still holds.",
        _nowhere,
    ),
)
