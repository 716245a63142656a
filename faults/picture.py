"""Draws a run as SVG: seconds from left to right, orders per second upwards, and the faults in the background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Final

from faults.watching import Suffered, Watch

_WIDTH, _HEIGHT = 1200, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 20, 150, 60
_COLOURS: Final = {
    "crash": "#e4572e",
    "freeze": "#4c9fd6",
    "wire": "#f3a712",
    "events": "#7a5cc0",
    "provider": "#3f9b6c",
    "disk": "#777777",
}

Seconds = Sequence[tuple[float, int, int]]


def draw(path: Path, seconds: Seconds, faults: Sequence[Suffered], caption: str) -> None:
    """Write the picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(svg(seconds, faults, caption) + "\n")


def one_after_another(watches: Sequence[Watch]) -> tuple[list[tuple[float, int, int]], list[Suffered]]:
    """Join the acts of a run on one time axis."""
    seconds: list[tuple[float, int, int]] = []
    faults: list[Suffered] = []
    for watch in watches:
        began, sent, ended = seconds[-1] if seconds else (0.0, 0, 0)
        seconds += [(began + now, sent + more_sent, ended + more_ended) for now, more_sent, more_ended in watch.seconds]
        faults += [replace(one, began=began + one.began, ended=began + one.ended) for one in watch.faults]
    return seconds, faults


def svg(seconds: Seconds, faults: Sequence[Suffered], caption: str) -> str:
    """Return the picture."""
    end = max([1.0, *(one[0] for one in seconds)])
    sent, ended = _rates(seconds, 1), _rates(seconds, 2)
    # A flow that catches up ends many orders at once; the axis is cut where higher values are of no interest.
    top = max(
        1.0, min(max((rate for _, rate in (*sent, *ended)), default=1.0), 4 * max((r for _, r in sent), default=1.0))
    )

    def x(second: float) -> float:
        return _LEFT + second / end * (_WIDTH - _LEFT - _RIGHT)

    def y(rate: float) -> float:
        return _HEIGHT - _BOTTOM - min(rate, top) / top * (_HEIGHT - _BOTTOM - _TOP)

    def line(points: Sequence[tuple[float, float]], colour: str) -> str:
        path = " ".join(f"{x(second):.1f},{y(rate):.1f}" for second, rate in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>'

    bands = [
        f'<rect x="{x(one.began):.1f}" y="{_TOP}" width="{max(1.5, x(one.ended) - x(one.began)):.1f}" '
        f'height="{_HEIGHT - _BOTTOM - _TOP}" fill="{_COLOURS[one.kind]}" fill-opacity="0.25"/>'
        f'<text transform="translate({(x(one.began) + x(one.ended)) / 2 + 3:.1f},{_TOP - 5}) rotate(-60)" '
        f'fill="{_COLOURS[one.kind]}">{escape(one.name)}</text>'
        for one in faults
        if not one.skipped
    ]
    step = next(step for step in (30, 60, 120, 300, 600) if end / step <= 12 or step == 600)
    ticks = [
        f'<text x="{x(second):.1f}" y="{_HEIGHT - _BOTTOM + 16}" text-anchor="middle">{second} s</text>'
        for second in range(0, int(end) + 1, step)
    ]
    heights = [
        f'<text x="{_LEFT - 6}" y="{y(rate) + 4:.1f}" text-anchor="end">{rate:.0f}</text>'
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(rate):.1f}" y2="{y(rate):.1f}" stroke="#ddd"/>'
        for rate in (0.0, top / 2, top)
    ]
    legend = (
        f'<text x="{_LEFT}" y="{_HEIGHT - 22}" font-size="12" fill="#555">orders per second: '
        '<tspan fill="#999999">sent</tspan>, <tspan fill="#111111" font-weight="bold">ended</tspan>. '
        f"{escape(caption)}</text>"
    )
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="10"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size}>',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *heights,
            *bands,
            line(sent, "#999999"),
            line(ended, "#111111"),
            *ticks,
            legend,
            "</svg>",
        ]
    )


def _rates(seconds: Seconds, which: int, over: int = 3) -> list[tuple[float, float]]:
    return [
        (now[0], (now[which] - before[which]) / max(0.5, now[0] - before[0]))
        for before, now in zip(seconds, seconds[over:], strict=False)
    ]
