"""Metrics, alerts, runbook and dashboard speak of the same things."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.architecture.project import ROOT
from workers.web.metrics.definitions import METRICS, with_metrics_table

PROMETHEUS = ROOT / "deploy" / "prometheus"
RUNBOOK = (ROOT / "deploy" / "guides" / "runbook.md").read_text()
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((PROMETHEUS / "passback.rules.yml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "passback.json").read_text())
SUFFIXES = ("_bucket", "_sum", "_count")
SERIES = {
    name
    for metric in METRICS
    for name in ([metric.name + suffix for suffix in SUFFIXES] if metric.kind == "histogram" else [metric.name])
}


def unknown_series(expression: str) -> set[str]:
    return set(re.findall(r"\bpassback_\w+", expression)) - SERIES


def test_the_table_of_metrics_is_generated() -> None:
    """The guide's table has every metric with its type, labels and meaning, as the code has them."""
    guide = (ROOT / "deploy" / "guides" / "metrics.md").read_text()

    assert with_metrics_table(guide) == guide, (
        "put the output of python -m workers.web.metrics.definitions into metrics.md"
    )


def test_metrics_are_named_as_prometheus_names_them() -> None:
    """Names are unique and plain; counters alone end in `_total`, durations are in seconds, sizes in bytes."""
    names = [metric.name for metric in METRICS]

    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"passback(_[a-z]+)+", name) for name in names)
    assert {m.name for m in METRICS if m.name.endswith("_total")} == {m.name for m in METRICS if m.kind == "counter"}
    assert [name for name in names if re.search(r"_(ms|milliseconds|minutes|kb|mb)\b", name)] == []


def test_alerts_ask_for_metrics_that_exist() -> None:
    """No alert can sleep because of a name that nothing exports."""
    assert {rule["alert"]: unknown for rule in RULES if (unknown := unknown_series(rule["expr"]))} == {}


def test_every_alert_has_its_heading_in_the_runbook() -> None:
    """The runbook's headings are the alerts, in their order, and each alert leads to its own."""
    alerts = [rule["alert"] for rule in RULES]

    assert re.findall(r"^## (.+)$", RUNBOOK, re.MULTILINE) == alerts
    links = [rule["annotations"]["runbook"] for rule in RULES]
    assert links == [f"deploy/guides/runbook.md#{alert.lower()}" for alert in alerts]


def test_every_heading_says_what_it_means_and_what_to_do() -> None:
    """Each section of the runbook has its three parts."""
    sections = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]

    parts = {section.partition("\n")[0]: re.findall(r"^\*\*(.+?)\.\*\*", section, re.MULTILINE) for section in sections}
    assert {alert: found for alert, found in parts.items() if found != ["Means", "Look at", "Do"]} == {}


def test_every_alert_fires_in_a_test() -> None:
    """The rules' own tests have a case per alert in which it fires."""
    cases = yaml.safe_load((PROMETHEUS / "passback.rules.test.yml").read_text())["tests"]
    fired = {test["alertname"] for case in cases for test in case["alert_rule_test"] if test.get("exp_alerts")}

    assert fired == {rule["alert"] for rule in RULES}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH (Debian: apt install prometheus)")
@pytest.mark.parametrize(
    "command", ["check config scrape.yml", "check rules passback.rules.yml", "test rules passback.rules.test.yml"]
)
def test_promtool_agrees(command: str) -> None:
    """Configuration and rules are valid, and the rules fire and stay quiet as their tests say."""
    done = subprocess.run(["promtool", *command.split()], cwd=PROMETHEUS, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


def expressions(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for panel in panels:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_the_dashboard_asks_for_metrics_that_exist() -> None:
    """Every panel asks for something, and all of it exists."""
    asked = dict(expressions(DASHBOARD["panels"]))

    assert all("passback_" in expression for expression in asked.values())
    assert {title: unknown for title, asks in asked.items() if (unknown := unknown_series(asks))} == {}


def test_the_runbook_names_commands_that_exist() -> None:
    """Whoever follows it at night types nothing that is not there."""
    from tests.command_line import app

    commands = {str(c.name) for c in app.registered_commands} | {str(g.name) for g in app.registered_groups}
    assert set(re.findall(r"`passback ([a-z]+)", RUNBOOK)) <= commands
