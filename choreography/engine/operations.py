"""The operations that the engine asks for and the results that it may get: its only contact with the world.

The engine is a generator that yields these operations and is sent their answers. A driver performs them through a
sidecar; the tests and the model checker perform them against a store and a broker that may fail at every step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Self

import orjson

from choreography.engine.beside import Beside
from choreography.engine.identity import Key
from choreography.engine.records import CommittedIntent, Outgoing, ScheduledDeadline


class Stored(NamedTuple):
    """A value that was read, and the ETag it was read under."""

    value: str
    etag: str


@dataclass(frozen=True, slots=True)
class Read:
    """Read keys in one bulk get. A key missing from the answer may exist all the same: see :class:`Confirm`."""

    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Confirm:
    """Read one key by itself. Only this read can be believed when it reports a missing key."""

    key: Key


@dataclass(frozen=True, slots=True)
class Values:
    """The result of a read. ``failed`` names the keys that could not be read at all."""

    found: Mapping[Key, Stored]
    failed: frozenset[Key] = frozenset()


ANY_ETAG: Final = "*"

_KEY: Final = 128
"""Bytes that a key takes besides its id, or hashed as a whole, in any store."""


class Write(NamedTuple):
    """One operation of a transaction: under an ETag, first-write when it is None, or over any version (ANY_ETAG).

    A value of None deletes the key.
    """

    key: Key
    value: str | None
    etag: str | None
    ttl_seconds: int | None = None

    @classmethod
    def deletion(cls, key: Key, etag: str = ANY_ETAG) -> Self:
        """Return the deletion of a key; without an ETag it succeeds whether the key exists or not."""
        return cls(key, None, etag)

    @property
    def most(self) -> int:
        """A cheap upper bound of its size: on the way a character of a JSON text takes at most four bytes."""
        return len(self.key.logical_id) + _KEY + 4 * len(self.value or "") + 2

    @property
    def size(self) -> int:
        """The bytes it takes on the way to the store, where its text is a string inside JSON."""
        return len(self.key.logical_id) + _KEY + len(orjson.dumps(self.value or ""))


@dataclass(frozen=True, slots=True)
class Remind:
    """Schedule a reminder to check accepted commands later, and read keys meanwhile.

    The answer is a pair: whether the reminder is durable, and the values.

    Attributes:
        slot: the name of the slot whose other commands it reminds of as well.
        events: the events of its first group of commands.
        keys: the keys to read.
    """

    slot: str
    events: tuple[str, ...]
    keys: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class Commit:
    """Write all of it in one transaction, or nothing.

    Attributes:
        writes: the records.
        beside: the changes to the service's own tables in the same transaction, if there are any.
    """

    writes: tuple[Write, ...]
    beside: Beside | None = None


@dataclass(frozen=True, slots=True)
class Committed:
    """The store confirmed the commit."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer, or a failure that does not say whether anything was written. It never means "failed".

    ``answered`` is True if the store answered with an error, and False if it did not answer at all.
    """

    detail: str = ""
    answered: bool = False


@dataclass(frozen=True, slots=True)
class Conflict:
    """The store reports that a key had changed. As with :class:`Unknown`, only another read shows the stored value."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The store does not accept the request (4xx): repeating the same request is useless."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """The hooks or rows beside the records failed, while the records could have been written: nothing was written."""

    detail: str = ""
    stack: str = ""


CommitResult = Committed | Conflict | Unknown | Refused | Failed


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait a little before the next attempt; ``attempt`` counts from 1."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish events. The answer is the set of events (by their index) that the broker did not confirm."""

    events: tuple[Outgoing, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Schedule deadlines, durably. The answer is whether all of them are."""

    deadlines: tuple[ScheduledDeadline, ...]


@dataclass(frozen=True, slots=True)
class CarryOut:
    """Carry out committed intents. The answer is the set of intents (by their index) that are not answered yet.

    ``nudge`` is the nudge that asks to publish the answers' outcomes again, if there is one.
    """

    intents: tuple[CommittedIntent, ...]
    repeated: bool
    nudge: str = ""


@dataclass(frozen=True, slots=True)
class Together:
    """Perform several operations at once; the answer is the list of their answers."""

    operations: tuple[Publish | Schedule | CarryOut, ...]


Operation = Read | Confirm | Commit | Pause | Together
OperationResult = Values | Stored | None | CommitResult | Sequence[frozenset[int] | bool] | tuple[bool, Values]

NOTHING_FAILED: Final[frozenset[int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that the engine keeps.

    Attributes:
        commit_bytes: a transaction is cut before it grows beyond this.
        commit_writes: a transaction is cut before it has more writes.
        attempts: how often a transaction is tried before the deliveries are handed back to the broker.
        reaction_attempts: how often a reaction may fail on one event before the event is quarantined.
        horizon_seconds: H; no event older than this is run.
        skew_seconds: how far the clock of a publisher may be ahead. An event of up to that far ahead is run at once.
        publish_bytes: a publish is cut before it grows beyond this; in base64 it must fit into a sidecar's usual 4 MiB.
        alone_seconds: how long a suspect event may run.
        suspect_attempts: after so many deaths of the process a suspect is quarantined without a run.
        remembered_commands: how many accepted commands a replica remembers; the oldest give way.
        snapshot_reads: a read of this store is one snapshot, so a key missing from it does not exist. Outcomes are then
            rows of their own; otherwise they are folded into entities' records, whose ETags prove that an outcome is
            missing.
    """

    commit_bytes: int = 4 * 1024 * 1024
    commit_writes: int = 1000
    attempts: int = 6
    reaction_attempts: int = 3
    horizon_seconds: int = 30 * 24 * 3600
    skew_seconds: int = 24 * 3600
    alone_seconds: float = 5.0
    suspect_attempts: int = 2
    remembered: int = 100_000
    remembered_commands: int = 20_000
    publish_bytes: int = 2 * 1024 * 1024 + 512 * 1024
    publish_count: int = 250
    snapshot_reads: bool = False

    @property
    def kept_seconds(self) -> int:
        """How long outcomes, tombstones and temporary records are kept."""
        return self.horizon_seconds + 2 * self.skew_seconds
