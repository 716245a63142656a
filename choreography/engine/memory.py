"""What one replica remembers of its own work: a shortcut, never a source of truth."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

_SHOWN_FAILURE: Final = 300


class Published:
    """The events that this replica has fully published: ids with digests; bounded.

    An eager redelivery is answered from here, so it does not multiply the events downstream.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._digests: OrderedDict[str, str] = OrderedDict()

    def distrust(self) -> None:
        """Forget all from now on: an event counted as published may be lost, and a repeat must publish it again."""
        self._bound = 0
        self._digests.clear()

    def add(self, event_id: str, digest: str) -> None:
        """Remember one event."""
        self._digests[event_id] = digest
        if len(self._digests) > self._bound:
            self._digests.popitem(last=False)

    def holds(self, event_id: str, digest: str) -> bool:
        """Tell whether exactly this event was fully published by this replica."""
        return self._digests.get(event_id) == digest

    def knows(self, event_id: str) -> bool:
        """Tell whether this replica fully published an event of this id, with any data."""
        return event_id in self._digests


class TooOld:
    """The recent dead letters about events that are too old: one for each kind of event within an hour."""

    def __init__(self, each: timedelta = timedelta(hours=1)) -> None:
        self._each = each
        self._letters: dict[str, tuple[datetime, str]] = {}

    def has_letter(self, kind: str, identity: str, now: datetime) -> bool:
        """Tell whether an earlier dead letter covers this event. If not, this event gets one, which covers the next."""
        since, speaker = self._letters.get(kind, (now - self._each, identity))
        if speaker != identity and now - since < self._each:
            return True
        if speaker != identity or kind not in self._letters:
            self._letters[kind] = (now, identity)
        return False


class Failures:
    """How often in a row each item failed, and how; bounded.

    Only for failures that do not come from store, broker or outside: an item that repeatedly fails in the same way
    while these are healthy will always fail in that way.
    """

    def __init__(self, most: int = 3, bound: int = 10_000) -> None:
        """Set how many failures of one kind in a row are enough."""
        self.most, self._bound = most, bound
        self._rows: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def enough(self, identity: str, error: BaseException) -> bool:
        """Note a failure. Return True if the item has now failed in the same way as often as it may."""
        failure = f"{type(error).__name__}: {error}"[:_SHOWN_FAILURE]
        earlier, count = self._rows.pop(identity, ("", 0))
        count = count + 1 if failure == earlier else 1
        self._rows[identity] = (failure, count)
        if len(self._rows) > self._bound:
            self._rows.popitem(last=False)
        return count >= self.most

    def forget(self, identity: str) -> None:
        """Forget an item that has ended or is quarantined."""
        self._rows.pop(identity, None)


Beginning = tuple[str, str]
"""A wire type, and a kind of entity that its reactions name."""


class Newcomers:
    """Which events have always begun a new record so far, so that the missing record need not be read.

    The assumption is safe, as an unread record is written first-write or not at all: if it exists, the attempt fails
    and the next one reads it. It only pays where it is nearly never wrong.
    """

    def __init__(self, after: int) -> None:
        """Expect a new record after so many new records in a row."""
        self._after = after
        self._row: Counter[Beginning] = Counter()

    def expects(self, beginning: Beginning) -> bool:
        """Tell whether the record that such an event names most likely does not exist yet."""
        return self._row[beginning] >= self._after

    def saw(self, beginning: Beginning, *, found: bool) -> None:
        """Learn from the records that were read."""
        self._row[beginning] = 0 if found else self._row[beginning] + 1

    def doubt(self, beginnings: Iterable[Beginning]) -> None:
        """Start anew: an attempt that relied on these has failed, perhaps because of one of them."""
        for beginning in beginnings:
            self._row[beginning] = 0
