"""The results as one page of HTML: a table, and for each run its timeline. Nothing is loaded from anywhere. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from ops.chaos.drawing import drawing
from ops.chaos.verdicts import Judged, Outcome, checked_in_all

_CLASSES = {Outcome.PASSED: "passed", Outcome.LATE: "late", Outcome.FAILED: "failed", Outcome.NOT_RUN: "absent"}


TITLE = "raymaker: faults"


def page(judged: Sequence[Judged], machine: dict[str, Any], commit: str, style: str) -> str:
    """The whole page, in the looks of `style`."""
    ran = [each for each in judged if each.outcome is not Outcome.NOT_RUN]
    facts = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, commit {commit}"
    cards = "\n".join(_card(each) for each in ran)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{TITLE}</title>
<style>{style}</style>
</head>
<body>
<header>
<h1>{TITLE}</h1>
<p class="facts">{escape(facts)}</p>
{_totals(judged)}
</header>
<main>
<section>
<table>
<thead><tr><th>row</th><th>fault</th><th>noticed</th><th>safe</th><th>quoting again</th><th>checks</th><th>verdict</th></tr></thead>
<tbody>
{"".join(_line(each) for each in judged)}
</tbody>
</table>
<p class="note">Seconds after the fault; where the fault takes something away for a while, quoting again counts from its return.
The bar is the share of the bound that was used. A row fails on any broken check, and on a bound only beyond three times its value.</p>
</section>
{_legend()}
{cards}
{_checked(ran)}
</main>
</body>
</html>
"""


def _totals(judged: Sequence[Judged]) -> str:
    counts = {outcome: sum(each.outcome is outcome for each in judged) for outcome in Outcome}
    tiles = "".join(
        f'<div class="tile {_CLASSES[outcome]}"><b>{count}</b><span>{escape(outcome.value)}</span></div>'
        for outcome, count in counts.items()
        if count
    )
    looks = sum(checked_in_all(judged).values())
    return f'<div class="tiles">{tiles}<div class="tile"><b>{looks:,}</b><span>looks of the checks</span></div></div>'


def _line(each: Judged) -> str:
    if each.outcome is Outcome.NOT_RUN:
        return (
            f'<tr class="absent"><td>{escape(each.key)}</td><td colspan="5">{escape("; ".join(each.reasons))}</td>'
            f"<td>{_chip(each.outcome)}</td></tr>"
        )
    run, bounds = each.run, each.bounds
    return (
        f'<tr><td>{escape(each.key)}</td><td><a href="#row-{escape(each.key)}">{escape(each.fault)}</a></td>'
        f"{_figure(run.detected_s, bounds.detected_s)}{_figure(run.safe_s, bounds.safe_s)}"
        f"{_figure(run.quoting_s, bounds.quoting_s)}"
        f"<td class=number>{sum(check.checked for check in run.verdicts):,}</td><td>{_chip(each.outcome)}</td></tr>"
    )


def _figure(seen_s: float | None, bound_s: float | None) -> str:
    if seen_s is None:
        return f"<td class=number>{'not seen' if bound_s is not None else '<span class=dim>-</span>'}</td>"
    if bound_s is None:
        return f"<td class=number>{seen_s:.2f}</td>"
    share = min(seen_s / bound_s, 1.0) if bound_s else 1.0
    over = " over" if seen_s > bound_s else ""
    return (
        f'<td class=number>{seen_s:.2f} <span class=dim>/ {bound_s:g}</span><i class="bar{over}">'
        f'<i style="width:{share * 100:.0f}%"></i></i></td>'
    )


def _chip(outcome: Outcome) -> str:
    return f'<span class="chip {_CLASSES[outcome]}">{escape(outcome.value)}</span>'


def _card(each: Judged) -> str:
    run = each.run
    shared = (f"on the same system after {', '.join(run.after)}",) if run.after else ()
    told = "".join(f"<li>{escape(text)}</li>" for text in (*each.reasons, *run.notes, *shared))
    checks = ", ".join(f"{check.name} {check.checked:,}" for check in run.verdicts if check.held)
    broken = "".join(
        f'<li class="failed">{escape(check.name)}: {escape(text)}</li>'
        for check in run.verdicts
        if not check.held
        for text in check.violations
    )
    picture = drawing(run.timeline, run) if run.timeline is not None else ""
    return f"""<article id="row-{escape(each.key)}">
<h2><span class="key">{escape(each.key)}</span> {escape(each.fault)} {_chip(each.outcome)}</h2>
{picture}
<ul>{told}{broken}</ul>
<p class="dim">held: {escape(checks) or "nothing"}; {run.orders_per_second:.1f} orders a second before the fault</p>
</article>"""


def _legend() -> str:
    return """<p class="legend"><span><i class="bid"></i>bids that rest</span><span><i class="ask"></i>asks that rest</span>
<span><i class="open"></i>gate open</span><span><i class="shut"></i>gate shut</span>
<span><i class="nobody"></i>no order manager</span><span><i class="fault"></i>the fault lasts</span>
<span><i class="dot"></i>fill</span></p>"""


def _checked(ran: Sequence[Judged]) -> str:
    counts = "".join(
        f"<span><b>{escape(name)}</b> {count:,}</span>" for name, count in sorted(checked_in_all(ran).items())
    )
    return f'<section><h2>Checked in all runs</h2><p class="counts">{counts}</p></section>'
