"""Finds the ids of flows in texts, where one id may be the beginning of another: ``order-1`` and ``order-10``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache


class FlowIds:
    """Finds the ids of the flows of one scenario in texts, always the longest match."""

    def __init__(self, flows: tuple[str, ...]) -> None:
        self.flows = flows
        self._nested = any(one != other and one in other for one in flows for other in flows)
        # The lookahead refuses a digit after the id, which would make it another id.
        longest_first = "|".join(re.escape(one) for one in sorted(flows, key=len, reverse=True))
        self._pattern = re.compile(rf"({longest_first})(?=(\d)?)")

    def numbers(self, *texts: str) -> list[int]:
        """Return the flows that texts mention, by their positions in the scenario."""
        if not self._nested:
            return [number for number, flow in enumerate(self.flows) if any(flow in text for text in texts)]
        found = {flow for text in texts for flow, _ in self._matches(text)}
        return [number for number, flow in enumerate(self.flows) if flow in found]

    def unclear(self, *texts: str) -> bool:
        """Tell whether a digit follows an id, so that the text would name another flow."""
        return self._nested and any(digit for text in texts for _, digit in self._matches(text))

    def mentions(self, text: str, about: str) -> bool:
        """Tell whether a text contains a word: the id of a flow, or any other part of the text."""
        if self._nested and about in self.flows:
            return any(flow == about for flow, _ in self._matches(text))
        return about in text

    def replaced(self, text: str, flow: str, by: str) -> str:
        """Return a text in which the id of one flow is replaced."""
        if not self._nested:
            return text.replace(flow, by)
        return self._pattern.sub(lambda match: by if match[1] == flow else match[1], text)

    def _matches(self, text: str) -> Iterator[tuple[str, str]]:
        for match in self._pattern.finditer(text):
            yield match[1], match[2] or ""


@lru_cache(maxsize=16)
def ids_of(flows: tuple[str, ...]) -> FlowIds:
    """Return the finder for the ids of flows."""
    return FlowIds(flows)
