"""The table of metrics in `deploy/guides/metrics.md`. `python -m workers.web.metrics.docs_table` prints it."""

import sys

from workers.web.metrics.definitions import METRICS, Metric

BEGIN = "<!-- metrics: begin (python -m workers.web.metrics.docs_table) -->"
END = "<!-- metrics: end -->"


def metrics_table() -> str:
    """Return a Markdown table with a row per metric."""
    rows = ["| Metric | Type | Labels | Meaning |", "|---|---|---|---|", *map(_row, METRICS)]
    return "\n".join(rows)


def with_metrics_table(document: str) -> str:
    """Return the document with the current table between its markers."""
    before, _, rest = document.partition(BEGIN)
    return f"{before}{BEGIN}\n{metrics_table()}\n{END}{rest.partition(END)[2]}"


def _row(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.help} |"


if __name__ == "__main__":
    sys.stdout.write(metrics_table() + "\n")
