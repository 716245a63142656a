"""What one replica remembers of its own doing: a shortcut, never a source of truth."""

from __future__ import annotations

from collections import OrderedDict


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
