"""How the rehearsal looks: what was sent, how it ended, where money and stock went, and what must be true."""

from collections import Counter

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from apps.checkout.rehearsal._acts import SKUS, Pace
from apps.checkout.rehearsal._audit import Evidence, Finding, audit, money
from apps.checkout.rehearsal._plan import HOT, asked_for

WIDTH = 100
BAR = 26
SHOWN_OFFENDERS = 5
SHOWN_REASONS = 6


def announce(console: Console, orders: int, run: str) -> None:
    """Open the curtain."""
    text = Text.assemble(
        (f"{orders:,} orders", "bold"),
        " through order, inventory, billing and shipping, with no conductor.\n",
        ("Some are invalid, some too expensive, some withdrawn, and one article is too scarce.\n", "dim"),
        ("Whatever happens, every order must end, and money and stock must add up.", "dim"),
    )
    title = f"[bold cyan]Checkout rehearsal[/] [dim]{run}[/]"
    console.print(Panel(text, title=title, title_align="left", border_style="cyan", width=_width(console)))


def stopped(console: Console, why: str) -> None:
    """Say why there is nothing to show."""
    title = "[bold red]The rehearsal stopped[/]"
    console.print(Panel(Text(why), title=title, title_align="left", border_style="red", width=_width(console)))


def curtain(console: Console, evidence: Evidence, pace: Pace, asked_again: int) -> bool:
    """Show everything; true when every rule holds."""
    findings = audit(evidence)
    console.print()
    console.print(_ends(evidence, _width(console)))
    console.print(_side_by_side(_money(evidence), _stock(evidence), _width(console)))
    console.print(_rules(findings, _width(console)))
    if not all(finding.holds for finding in findings):
        console.print(_offenders(findings))
    broken = sum(not finding.holds for finding in findings)
    console.print(_verdict(broken, pace, asked_again, _width(console)))
    return not broken


def _width(console: Console) -> int:
    return min(console.width, WIDTH)


def _table(title: str, width: int | None = None, *, footer: bool = False) -> Table:
    return Table(
        title=title,
        title_justify="left",
        title_style="bold cyan",
        header_style="dim",
        footer_style="bold",
        box=box.SIMPLE_HEAD,
        width=width,
        pad_edge=False,
        show_footer=footer,
    )


def _ends(evidence: Evidence, width: int) -> Table:
    counts: Counter[tuple[str, str]] = Counter()
    for order in evidence.orders:
        if not order.accepted:
            counts["refused", f"answered with {order.answered}"] += 1
        elif order.status == "completed":
            counts["completed", "reserved, paid and dispatched"] += 1
        elif order.status == "cancelled":
            counts["cancelled", order.reason or "no reason given"] += 1
        else:
            counts["not ended", f"still {order.status}"] += 1
    table = _table("How the orders ended", width)
    table.add_column("", no_wrap=True)
    table.add_column("why", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("orders", justify="right")
    table.add_column("share", justify="right")
    table.add_column("", width=BAR)
    styles = {"completed": "green", "cancelled": "yellow", "refused": "blue", "not ended": "red"}
    for (end, why), count in _grouped(counts, list(styles)):
        share = count / len(evidence.orders)
        bar = Text("━" * max(1, round(share * BAR)), style=styles[end])
        table.add_row(Text(end, style=styles[end]), Text(why), f"{count:,}", f"{share:.1%}", bar)
    return table


def _grouped(counts: Counter[tuple[str, str]], order: list[str]) -> list[tuple[tuple[str, str], int]]:
    """Sort by end, then by size; rare reasons for cancelling share a line."""
    rare: Counter[tuple[str, str]] = Counter()
    reasons = [key for key, _ in counts.most_common() if key[0] == "cancelled"]
    for key in reasons[SHOWN_REASONS:]:
        rare["cancelled", "other reasons"] += counts.pop(key)
    return sorted((counts + rare).items(), key=lambda item: (order.index(item[0][0]), -item[1]))


def _money(evidence: Evidence) -> Table:
    before, after = evidence.before, evidence.after
    table = _table("Where the money went", footer=True)
    table.add_column("", footer="kept by the provider", no_wrap=True)
    table.add_column("EUR", justify="right", no_wrap=True, footer=_amount(evidence.kept))
    ordered = sum(order.planned.total for order in evidence.orders if order.accepted)
    table.add_row("ordered", _amount(ordered))
    table.add_row("charged", _amount(after.charged - before.charged))
    table.add_row("refunded", Text(_amount(before.refunded - after.refunded), style="yellow"))
    return table


def _amount(cents: int) -> str:
    return money(cents).removesuffix(" EUR")


def _stock(evidence: Evidence) -> Table:
    asked, sold = asked_for([order.planned for order in evidence.orders]), evidence.sold()
    table = _table("Where the stock went")
    table.add_column("article", no_wrap=True)
    for name in ("asked for", "sold", "left"):
        table.add_column(name, justify="right")
    table.add_column("", width=12)
    for sku in SKUS:
        left = evidence.after.stock[sku].available
        share = sold[sku] / asked[sku] if asked[sku] else 0.0
        bar = Text("━" * round(share * 12), style="green") + Text("━" * (12 - round(share * 12)), style="bright_black")
        style = "bold magenta" if sku == HOT else ""
        table.add_row(Text(sku, style=style), f"{asked[sku]:,}", f"{sold[sku]:,}", f"{left:,}", bar)
    return table


def _side_by_side(left: Table, right: Table, width: int) -> RenderableType:
    if width < 90:
        return Group(left, right)
    grid = Table.grid(padding=(0, 6))
    grid.add_row(left, right)
    return grid


def _rules(findings: list[Finding], width: int) -> Table:
    table = _table("What must be true", width)
    table.add_column("", width=1)
    table.add_column("rule", no_wrap=True)
    table.add_column("", ratio=1)
    for finding in findings:
        if finding.holds:
            table.add_row(Text("✓", style="bold green"), finding.rule, Text(finding.detail, style="dim"))
        else:
            red = Text(finding.rule, style="red")
            table.add_row(Text("✗", style="bold red"), red, Text("broken, see below", style="red"))
    return table


def _offenders(findings: list[Finding]) -> Group:
    """Name who broke each rule, whole and one to a line, to be copied and looked up."""
    lines: list[Text] = []
    for finding in findings:
        if not finding.holds:
            lines.append(Text.assemble(("✗ ", "bold red"), (finding.rule, "red")))
            lines += [Text(f"    {name}") for name in finding.offenders[:SHOWN_OFFENDERS]]
            if (more := len(finding.offenders) - SHOWN_OFFENDERS) > 0:
                lines.append(Text(f"    and {more:,} more", style="dim"))
    if lines:
        lines.append(Text("Follow an order with: choreography flow ID\n", style="dim"))
    return Group(*lines)


def _verdict(broken: int, pace: Pace, asked_again: int, width: int) -> Panel:
    lines = [_pace(pace)]
    if asked_again:
        lines.append(
            Text(
                f"{asked_again:,} requests had no clear answer and were sent again with their key.",
                style="dim",
            )
        )
    if broken:
        title, style = f"[bold red]✗ {broken} of the rules are broken[/]", "red"
    else:
        title, style = (
            "[bold green]✓ Every order ended, every cent and every piece is accounted for[/]",
            "green",
        )
    return Panel(Group(*lines), title=title, title_align="left", border_style=style, width=width)


def _pace(pace: Pace) -> Text:
    if not pace.latencies or not pace.seconds:
        return Text("No order ended, so there is no pace to show.")
    median, slow = (pace.latencies[int(len(pace.latencies) * share)] for share in (0.5, 0.99))
    return Text.assemble(
        (f"{len(pace.latencies) / pace.seconds:,.0f} orders/s", "bold"),
        f"  ·  from sent to ended p50 {_duration(median)}, p99 {_duration(slow)}",
        (f"  ·  {len(pace.latencies):,} ended in {_duration(pace.seconds)}", "dim"),
    )


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
