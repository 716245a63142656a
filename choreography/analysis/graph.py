"""Cycles of a directed graph: which nodes can be reached from each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

N = TypeVar("N")


def rounds(edges: Iterable[tuple[N, N]]) -> dict[N, int]:
    """Return a number for each node: two nodes have the same number if each can be reached from the other.

    The time grows with the number of edges (Kosaraju's algorithm, without recursion).
    """
    following: dict[N, dict[N, None]] = {}
    leading: dict[N, dict[N, None]] = {}
    for source, target in edges:
        following.setdefault(source, {})[target] = None
        following.setdefault(target, {})
        leading.setdefault(target, {})[source] = None
    found: dict[N, int] = {}
    for node in reversed(_finished(following)):
        if node in found:
            continue
        number, waiting = len(found), [node]
        found[node] = number
        while waiting:
            for before in leading.get(waiting.pop(), ()):
                if before not in found:
                    found[before] = number
                    waiting.append(before)
    return found


def _finished(following: dict[N, dict[N, None]]) -> list[N]:
    """Return the nodes in the order in which a depth-first search leaves them."""
    left: list[N] = []
    seen: set[N] = set()
    for start, first in following.items():
        if start in seen:
            continue
        seen.add(start)
        way: list[tuple[N, Iterator[N]]] = [(start, iter(first))]
        while way:
            node, rest = way[-1]
            for onward in rest:
                if onward not in seen:
                    seen.add(onward)
                    way.append((onward, iter(following[onward])))
                    break
            else:
                left.append(node)
                way.pop()
    return left
