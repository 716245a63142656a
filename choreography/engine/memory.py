"""What one replica remembers of its own doing: a shortcut, never a source of truth."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

_SHOWN_FAILURE: Final = 300


class Published:
    """Ids this replica has itself fully published, with what they said; bounded.

    A broker that redelivers eagerly is answered from here, so it does not multiply what is downstream.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._digests: OrderedDict[str, str] = OrderedDict()

    def distrust(self) -> None:
        """Remember nothing from now on: what was said to be published may not be, and a repeat must say it again."""
        self._bound = 0
        self._digests.clear()

    def add(self, event_id: str, digest: str) -> None:
        """Remember one."""
        self._digests[event_id] = digest
        if len(self._digests) > self._bound:
            self._digests.popitem(last=False)

    def holds(self, event_id: str, digest: str) -> bool:
        """Tell whether exactly this event was fully published by this replica."""
        return self._digests.get(event_id) == digest

    def knows(self, event_id: str) -> bool:
        """Tell whether an event of this id was fully published by this replica, whatever it said."""
        return event_id in self._digests


class TooOld:
    """Which events that are too old got a letter lately: one of a kind within the hour, whatever else comes of it."""

    def __init__(self, each: timedelta = timedelta(hours=1)) -> None:
        self._each = each
        self._letters: dict[str, tuple[datetime, str]] = {}

    def has_letter(self, kind: str, identity: str, now: datetime) -> bool:
        """Tell whether an earlier letter covers this event; else this event gets one, which covers those after it."""
        since, speaker = self._letters.get(kind, (now - self._each, identity))
        if speaker != identity and now - since < self._each:
            return True
        if speaker != identity or kind not in self._letters:
            self._letters[kind] = (now, identity)
        return False


class Failures:
    """How often in a row each thing failed, and how; bounded.

    Only for failures that say nothing about store, broker or outside: whatever fails the same way again while those
    are well will fail that way for ever.
    """

    def __init__(self, most: int = 3, bound: int = 10_000) -> None:
        """Say that it is enough after so many failures of one kind in a row."""
        self.most, self._bound = most, bound
        self._rows: OrderedDict[str, tuple[str, int]] = OrderedDict()

    def enough(self, identity: str, error: BaseException) -> bool:
        """Note a failure. Tell whether this has now failed in the same way as often as it may."""
        failure = f"{type(error).__name__}: {error}"[:_SHOWN_FAILURE]
        earlier, count = self._rows.pop(identity, ("", 0))
        count = count + 1 if failure == earlier else 1
        self._rows[identity] = (failure, count)
        if len(self._rows) > self._bound:
            self._rows.popitem(last=False)
        return count >= self.most

    def forget(self, identity: str) -> None:
        """Forget what has ended, or is quarantined."""
        self._rows.pop(identity, None)


Beginning = tuple[str, str]
"""A wire type, and a kind of entity that its reactions name."""


class Newcomers:
    """Which events have always begun a record so far, so that there is no need to read that it is not there.

    Believing that is safe, as a record nobody read is written first-write or not at all: if it is there, the attempt
    fails and the next one reads. It is only worth it where it is nearly never wrong.
    """

    def __init__(self, after: int) -> None:
        """Expect a beginning after so many in a row, none of which was wrong."""
        self._after = after
        self._row: Counter[Beginning] = Counter()

    def expects(self, beginning: Beginning) -> bool:
        """Tell whether what such an event names is most likely not there yet."""
        return self._row[beginning] >= self._after

    def saw(self, beginning: Beginning, *, found: bool) -> None:
        """Learn from what was read."""
        self._row[beginning] = 0 if found else self._row[beginning] + 1

    def doubt(self, beginnings: Iterable[Beginning]) -> None:
        """Start anew: an attempt that believed these has failed, perhaps because of one of them."""
        for beginning in beginnings:
            self._row[beginning] = 0
