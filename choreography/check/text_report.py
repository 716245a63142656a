"""A report for a person: the fault, its reason, the remedy and the place."""

from __future__ import annotations

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from choreography.check.finding import CheckReport, Finding


def tell(report: CheckReport, console: Console) -> None:
    """Print a report."""
    for finding in report.findings:
        console.print(_head(finding))
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True, style="dim")
        table.add_column(overflow="fold")
        table.add_row("what", Text(finding.what))
        table.add_row("why", Text(finding.why))
        table.add_row("do", Text(finding.do, style="green"))
        table.add_row("about", Text(finding.about, style="dim"))
        console.print(Padding(table, (0, 0, 1, 2)))
    for code, about, reason in dict.fromkeys((one.code, one.about, reason) for one, reason in report.suppressed):
        console.print(Text.assemble((f"{code} {about}", "dim"), ("  stands because: ", "dim"), reason))
    for sentence in report.deploy:
        console.print(Text(sentence, style="yellow"))
    for sentence in report.connections:
        console.print(Text(sentence, style="dim"))
    for sentence in report.sampled:
        console.print(Text(sentence, style="yellow"))
    console.print(_summary(report))


def _head(finding: Finding) -> Text:
    place = f"  {finding.file}:{finding.line}" if finding.file else ""
    return Text.assemble((finding.code, "bold red"), "  ", (finding.title, "bold"), (place, "cyan"))


def _summary(report: CheckReport) -> Text:
    looked = f"{len(report.services)} services, {report.rules} rules"
    also = f", {len(report.suppressed)} suppressed with a reason" if report.suppressed else ""
    if not report.findings:
        return Text(
            f"Nothing is wrong with {report.flow} that can be seen before it runs ({looked}{also}).", style="green"
        )
    count = len(report.findings)
    word = "thing is" if count == 1 else "things are"
    return Text(f"{count} {word} wrong with {report.flow} ({looked}{also}).", style="red")
