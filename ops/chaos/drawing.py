"""One run drawn as an SVG: quotes of each symbol, its gate under them, the fault, and what was noticed when. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ops.chaos.timeline import NOBODY, AlertAt, GateAt, QuotesAt, StrokeAt, Timeline
from ops.chaos.verdicts import RowRun

WIDTH = 1_000
LEFT = 84
RIGHT = 12
TOP = 58
LANE = 64
GATE = 8
GAP = 16
AXIS = 22
LABEL_PX = 6.6
"""Width of a character of a label; labels that would overlap go a line higher or are left to their tick's title."""

MARK_PX = 40
"""Where the next mark is closer than this, the name stands before the mark."""

LABEL_LINES = 3
TICKS_MAX = 12
_STEPS_S = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1_800, 3_600)


def drawing(timeline: Timeline, run: RowRun) -> str:
    """The picture, with a title on everything that has one."""
    scale = _Scale(timeline.from_s, timeline.to_s)
    symbols = sorted(timeline.quotes)
    bottom = TOP + len(symbols) * (LANE + GATE + GAP)
    parts = [_axis(scale, bottom)]
    parts.append(_strokes(timeline.strokes, scale, bottom) if timeline.strokes else _fault(timeline, scale, bottom))
    for number, symbol in enumerate(symbols):
        y = TOP + number * (LANE + GATE + GAP)
        parts.append(_lane(timeline, symbol, scale, y))
    parts += [_marks(timeline, run, scale, bottom), _alerts(timeline.alerts, scale, bottom)]
    height = bottom + AXIS
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="timeline of the run" '
        f'preserveAspectRatio="xMidYMid meet">{"".join(parts)}</svg>'
    )


class _Scale:
    """Seconds to the picture's units."""

    def __init__(self, from_s: float, to_s: float) -> None:
        self.from_s = from_s
        self.to_s = max(to_s, from_s + 1.0)

    def x(self, s: float) -> float:
        share = (min(max(s, self.from_s), self.to_s) - self.from_s) / (self.to_s - self.from_s)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def _fault(timeline: Timeline, scale: _Scale, bottom: int) -> str:
    width = max(scale.x(timeline.over_s) - scale.x(0.0), 0.0)
    band = (
        f'<rect class="fault" x="{scale.x(0.0)}" y="{TOP - 8}" width="{width:.1f}" height="{bottom - TOP}"/>'
        if width
        else ""
    )
    return (
        band + f'<line class="fault-at" x1="{scale.x(0.0)}" x2="{scale.x(0.0)}" y1="{TOP - 8}" y2="{bottom - 8}"/>'
        f'<text class="fault-name" x="{scale.x(0.0) + 4}" y="{TOP + 2}">fault</text>'
    )


def _strokes(strokes: Sequence[StrokeAt], scale: _Scale, bottom: int) -> str:
    return "".join(
        f'<line class="fault-at" x1="{scale.x(each.s)}" x2="{scale.x(each.s)}" y1="{TOP - 8}" y2="{bottom - 8}">'
        f"<title>{each.s:.1f} s: {escape(each.fault)}</title></line>"
        f'<text class="fault-name" x="{scale.x(each.s) - 3}" y="{TOP - 12 - number % LABEL_LINES * 13}">{escape(each.key)}</text>'
        for number, each in enumerate(strokes)
    )


def _axis(scale: _Scale, bottom: int) -> str:
    span = scale.to_s - scale.from_s
    step = next((each for each in _STEPS_S if span / each <= TICKS_MAX), _STEPS_S[-1])
    first = -int(-scale.from_s // step) if scale.from_s < 0 else int(scale.from_s // step)
    parts = []
    tick = first * step
    while tick <= scale.to_s:
        x = scale.x(tick)
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{bottom - 6}"/>')
        parts.append(f'<text class="axis" x="{x}" y="{bottom + 11}">{tick:g} s</text>')
        tick += step
    return "".join(parts)


def _lane(timeline: Timeline, symbol: str, scale: _Scale, y: int) -> str:
    points = timeline.quotes[symbol]
    most = max((max(point.bids, point.asks) for point in points), default=1) or 1
    middle = y + LANE / 2
    unit = (LANE / 2 - 3) / most
    return (
        f'<text class="symbol" x="0" y="{middle + 4}">{escape(symbol)}</text>'
        f'<text class="side" x="{LEFT - 8}" y="{y + 11}">bids</text>'
        f'<text class="side" x="{LEFT - 8}" y="{y + LANE - 3}">asks</text>'
        f'<line class="middle" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{middle}" y2="{middle}"/>'
        + _area("bid", points, [point.bids for point in points], scale, middle, -unit)
        + _area("ask", points, [point.asks for point in points], scale, middle, unit)
        + "".join(
            f'<circle class="fill" cx="{scale.x(s)}" cy="{middle}" r="2.4"><title>fill at {s:.2f} s</title></circle>'
            for s in timeline.fills.get(symbol, ())
        )
        + _gate(timeline.gates.get(symbol, ()), scale, y + LANE + 1)
    )


def _area(
    name: str, points: Sequence[QuotesAt], counts: Sequence[int], scale: _Scale, middle: float, unit: float
) -> str:
    if not points:
        return ""
    path = [f"M{scale.x(points[0].s)} {middle}"]
    for point, count in zip(points, counts, strict=True):
        path.append(f"H{scale.x(point.s)}V{middle + count * unit:.1f}")
    path.append(f"H{scale.x(scale.to_s)}V{middle}Z")
    return f'<path class="{name}" d="{"".join(path)}"/>'


def _gate(gates: Sequence[GateAt], scale: _Scale, y: int) -> str:
    parts = []
    for number, gate in enumerate(gates):
        ends_s = gates[number + 1].s if number + 1 < len(gates) else scale.to_s
        width = scale.x(ends_s) - scale.x(gate.s)
        name = "open" if gate.open else "nobody" if gate.reason == NOBODY else "shut"
        told = "gate open" if gate.open else f"gate shut: {gate.reason}"
        parts.append(
            f'<rect class="{name}" x="{scale.x(gate.s)}" y="{y}" width="{max(width, 0.6):.1f}" '
            f'height="{GATE - 2}"><title>{gate.s:.2f} s: {escape(told)}</title></rect>'
        )
    return "".join(parts)


def _marks(timeline: Timeline, run: RowRun, scale: _Scale, bottom: int) -> str:
    """When it was safe and when it quoted again; the latter counts from the return of what was taken away."""
    quoting_s = run.quoting_s
    if quoting_s is not None and timeline.back_s is not None:
        quoting_s += timeline.back_s
    seen = [
        (name, s)
        for name, s in (("safe", run.safe_s), ("back", timeline.back_s), ("quoting", quoting_s))
        if s is not None
    ]
    marks = sorted(((s, name) for name, s in seen if scale.from_s <= s <= scale.to_s))
    parts = []
    for number, (s, name) in enumerate(marks):
        x = scale.x(s)
        parts.append(
            f'<line class="mark {name}" x1="{x}" x2="{x}" y1="{TOP - 8}" y2="{bottom - 8}">'
            f"<title>{name}: {s:.2f} s</title></line>"
        )
        is_close = number + 1 < len(marks) and scale.x(marks[number + 1][0]) - x < MARK_PX
        text_at = f'x="{x - 3}" text-anchor="end"' if is_close else f'x="{x + 3}"'
        parts.append(f'<text class="mark-name" {text_at} y="{bottom - 3}">{name}</text>')
    return "".join(parts)


def _alerts(alerts: Sequence[AlertAt], scale: _Scale, bottom: int) -> str:
    """A tick for each alert; its name where there is room."""
    ends = [0.0] * LABEL_LINES
    parts = []
    for alert in alerts:
        x = scale.x(alert.s)
        text = f"{alert.code} {alert.subject}".strip()
        title = f"<title>{alert.s:.2f} s: {escape(alert.severity)} {escape(text)}</title>"
        parts.append(
            f'<circle class="alert {escape(alert.severity.lower())}" cx="{x}" cy="{TOP - 12}" r="3">{title}</circle>'
        )
        width = len(text) * LABEL_PX
        start = min(x + 2, WIDTH - RIGHT - width)
        line = next((number for number, end in enumerate(ends) if start >= end), None)
        if line is None:
            continue
        ends[line] = start + width + 8
        y = TOP - 20 - line * 13
        parts.append(f'<text class="alert-name" x="{start:.1f}" y="{y}">{escape(text)}{title}</text>')
    return "".join(parts)
