"""The alert rules and the dashboard: valid, and only about metrics that exist."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.deploy.tools import tool
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.observability.metrics import COUNTERS, PREFIX, REASONS, metric_names

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "deploy" / "grafana" / "tableau-webhooks.json"
# A selector of one metric, such as `tableau_webhooks_jobs{state="dead"}`.
SELECTOR = re.compile(rf"{PREFIX}(\w+)(?:\{{([^}}]*)\}})?")
LABELS = {
    **{f"{name}_total": set(labels) for name, (labels, _) in COUNTERS.items()},
    "incidents": {"kind", "state"},
    "jobs": {"state"},
    "acknowledge_seconds_bucket": {"le"},
}


def expressions() -> dict[str, str]:
    """Return all expressions by the alert or the panel they belong to."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    found = {f"{one['title']} {target['refId']}": target["expr"] for one in panels for target in one["targets"]}
    blocks = re.split(r"^ +- alert: ", ALERTS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    for block in blocks:
        expression = block.partition("expr:")[2].partition("labels:")[0]
        found[block.splitlines()[0]] = re.split(r"^ +for:", expression, flags=re.MULTILINE)[0]
    return found


def test_expressions_use_only_metrics_and_labels_that_exist() -> None:
    """A renamed metric would leave a panel empty and an alert silent."""
    for name, expression in expressions().items():
        selectors = SELECTOR.findall(expression)
        assert selectors or 'up{job="tableau-webhooks"}' in expression, name
        for metric, matchers in selectors:
            assert PREFIX + metric in metric_names(), f"{name}: {metric}"
            assert set(re.findall(r"(\w+)[=!]", matchers)) <= LABELS.get(metric, set()), f"{name}: {matchers}"
        for grouped in re.findall(r"by \(([^)]*)\)", expression):
            known = set().union(*(LABELS.get(metric, set()) for metric, _ in selectors))
            assert set(re.split(r", *", grouped)) <= known, f"{name}: {grouped}"


def test_every_metric_has_a_panel_or_an_alert() -> None:
    """A metric that is not shown anywhere is of no use; some have two names."""
    used = {PREFIX + metric for expression in expressions().values() for metric, _ in SELECTOR.findall(expression)}
    unused = {"jobs_ready", "jobs_running", "events_newest_id", "inbox_read_seconds", "acknowledge_seconds_sum"}
    assert metric_names() - used == {PREFIX + name for name in unused}


def test_panels_do_not_overlap() -> None:
    """The dashboard has 24 columns."""
    places = [one["gridPos"] for one in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]]
    cells = [
        (place["x"] + column, place["y"] + row)
        for place in places
        for column in range(place["w"])
        for row in range(place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23


@pytest.fixture
def scraped(settings: Settings) -> str:
    """Return the metrics of a server as Prometheus gets them."""
    app = create_app(settings)
    client: FlaskClient = app.test_client()
    client.post("/webhook/wrong")
    app.extensions["webhooks"].counters.add("messages", "slack", "post", "sent")
    app.extensions["webhooks"].counters.add("job_attempts", "notify", "done")
    text = client.get("/metrics").text
    app.extensions["webhooks"].stop()
    return text


def test_promtool_accepts_the_rules_and_the_metrics(scraped: str) -> None:
    """Prometheus' own checker finds no error in either."""
    promtool = tool("promtool")
    checked = subprocess.run([promtool, "check", "rules", ALERTS], capture_output=True, text=True, check=False)
    assert (checked.returncode, "SUCCESS" in checked.stdout) == (0, True), checked.stderr
    linted = subprocess.run([promtool, "check", "metrics"], input=scraped, capture_output=True, text=True, check=False)
    assert linted.returncode in {0, 3}, linted.stderr
    complaints = [line for line in linted.stderr.splitlines() if "non-histogram" not in line]
    assert complaints == []
    assert all(f'reason="{reason}"' in scraped for reason in REASONS.values())
