"""The tables of `passback demo --report`: what is in PowerSchool, what is not and why, latency, and requests."""

from statistics import median

from rich.console import Console
from rich.table import Column, Table

from workers.dev.demo.check import DemoReport, MissingScore


def show_tables(console: Console, findings: DemoReport) -> None:
    """Print the tables."""
    console.print(_there_table(findings))
    console.print(_missing_table(findings))
    listed = ", ".join(f"{count} x {code}" for code, count in sorted(findings.students.items()))
    console.print(f"Scores not sent, each with its reason: {listed}")
    console.print(_time_table(findings))
    console.print(_cost_line(findings))
    for problem in findings.problems:
        console.print(f"[red]not as the rules demand:[/] {problem}")


def _there_table(findings: DemoReport) -> Table:
    table = Table("assignment", "section", "scores", "equal to the rules' answer", title="In PowerSchool")
    for one in findings.present:
        name = findings.names[str(one.location[0])]
        verdict = "[green]yes[/]" if one.agrees else "[red]no[/]"
        table.add_row(
            f"{name} ({one.location[0]})", str(one.location[1]), f"{len(one.there)} of {len(one.wanted)}", verdict
        )
    return table


def _missing_table(findings: DemoReport) -> Table:
    table = Table(
        "assignment", "sections", Column("why", no_wrap=True), "what to do", title="Not in PowerSchool, and why"
    )
    rows: dict[tuple[int, tuple[str, ...]], list[MissingScore]] = {}
    for one in findings.missing:
        rows.setdefault((one.assignment_id, one.codes), []).append(one)
    for (assignment_id, codes), ones in rows.items():
        sections = ", ".join(one.section for one in ones)
        table.add_row(f"{ones[0].name} ({assignment_id})", sections, "\n".join(codes), ones[0].remedy)
    return table


def _time_table(findings: DemoReport) -> Table:
    table = Table("change", "grades", "median", "slowest", title="From Canvas to PowerSchool, in seconds")
    for scene, seconds in findings.seconds.items():
        table.add_row(scene, str(len(seconds)), f"{median(seconds):.1f}", f"{max(seconds):.1f}")
    return table


def _cost_line(findings: DemoReport) -> str:
    counts = findings.requests
    grades = sum(len(seconds) for seconds in findings.seconds.values())
    return (
        f"Cost: {grades} grades by hand or quiz, {counts.events} Live Events; {counts.canvas} Canvas requests, "
        f"{counts.powerschool} PowerSchool requests, {counts.score_batches} of them score batches."
    )
