"""Idempotency-Keys of callers without a name: two people must not choose the same one by accident."""

from __future__ import annotations

import secrets
import uuid

import pytest

from choreography.engine.commanding import Commanding
from choreography.engine.keys import ANONYMOUS
from choreography.errors import WeakKeyError
from tests.unit.engine.toy import desk

WEAK = {
    "a digit": "1",
    "a word": "checkout",
    "a short random key": "x7Gq2Lw9Zt",
    "a number of an order": "order-2026-001",
    "zeros": "0" * 32,
    "the nil UUID": str(uuid.UUID(int=0)),
    "one letter": "a" * 128,
    "a pattern": "abcabcabcabcabcabcabc",
    "a sequence": "abcdefghijklmnopqrstuvwxyz",
    "digits in their order": "1234567890123456",
    "a clock in microseconds": "1764455550123456",
    "a clock in nanoseconds": "1764455550123456789",
}
GOOD = {
    "a UUID": str(uuid.UUID("8e03978e-40d5-43e8-bc93-6894a57f9324")),
    "a UUID without hyphens": "8e03978e40d543e8bc936894a57f9324",
    "a UUID in quotes, as the draft of the header has it": '"8e03978e-40d5-43e8-bc93-6894a57f9324"',
    "a UUID of a namespace": str(uuid.uuid5(uuid.NAMESPACE_URL, "https://shop.example/carts/7")),
    "a ULID": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "a URL-safe token": "Drmhze6EPcv0fN_81Bj-nA",
    "16 random letters and digits": "q7Rk2mVx9ZpLw4Tn",
    "a random number": "301948571029384756102938475610",
}


def event_id(caller: str, key: str) -> str:
    """Return the id of the event that a request becomes."""
    return Commanding(desk).event_id(caller, "POST /boxes", key)


@pytest.mark.parametrize("kind", WEAK)
def test_a_weak_key_of_a_caller_without_a_name_is_refused(kind: str) -> None:
    """The sentence says what a good key is."""
    with pytest.raises(WeakKeyError, match="such as a new UUID for each request"):
        event_id(ANONYMOUS, WEAK[kind])


@pytest.mark.parametrize("kind", GOOD)
def test_a_random_key_of_a_caller_without_a_name_is_taken(kind: str) -> None:
    """Every usual notation is accepted."""
    assert event_id(ANONYMOUS, GOOD[kind]) == event_id(ANONYMOUS, GOOD[kind])


@pytest.mark.parametrize("kind", WEAK)
def test_a_caller_with_a_name_may_count(kind: str) -> None:
    """Its keys are its own, and differ from the same keys of others."""
    assert event_id("ann", WEAK[kind]) != event_id("bob", WEAK[kind])


def test_what_random_generators_make_is_never_refused() -> None:
    """A refusal would be for ever, as a retry must send the same key."""
    for _ in range(20_000):
        for key in (str(uuid.uuid4()), secrets.token_hex(16), secrets.token_urlsafe(16)):
            event_id(ANONYMOUS, key)
