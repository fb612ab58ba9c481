"""Content that lacks a value in Tableau, from its event to the message and to `flask events explain`."""

from __future__ import annotations

import json
from pathlib import Path

import requests

from simulator import Running
from tests.acceptance.simulation import cause, finished_events, inject_fault, slack_messages
from tests.support.server import serving, wait_for

RULES = """
[[rule]]
name = "Not in a sandbox"
on = "WorkbookUpdated"
where = { project = "!Sandbox*" }
notify = "slack:#bi"

[[rule]]
name = "Not by the service"
on = "WorkbookUpdated"
where = { owner = "!svc_*" }
notify = "slack:#bi"

[[rule]]
name = "Private"
on = "WorkbookUpdated"
where = { project = "(none)" }
notify = "slack:#finance-data"
"""


def test_absent_values_are_explained(site: Running, tmp_path: Path) -> None:
    """A workbook in a Personal Space without an owner meets no exclusion, and the explanation says why."""
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    with serving(tmp_path, site.environment, RULES_FILE=str(tmp_path / "rules.toml"), WEBHOOK_URL="") as server:
        event = cause(site, event_type="WorkbookUpdated")
        private = {"id": event["resource_luid"], "name": "Payroll", "location": {"type": "PersonalSpace"}}
        document = json.dumps({"workbook": private})
        inject_fault(site, kind="document", target="tableau", path="/workbooks/", document=document)
        assert requests.post(server.hook, json=event, timeout=30).status_code == 200
        (stored,) = wait_for(lambda: finished_events(server), what="the end of all jobs")
        explained = server.flask("events", "explain", str(stored["id"]), "--json")
        assert explained.returncode == 0, explained.stderr
        found = json.loads(explained.stdout)
        verdicts = {part["name"]: part["reason"] for part in found["explanation"]}
        reasons = {job["rule"]: job["error"] for job in found["jobs"]}
        shown = " ".join(server.flask("events", "explain", str(stored["id"])).stdout.split())
    absent = 'without a value, not {} does not hold; "(none)" would match'
    assert reasons["Not in a sandbox"] == f"project is none (Personal Space): {absent.format('Sandbox*')}"
    assert reasons["Not by the service"] == f"owner is none: {absent.format('svc_*')}"
    assert "project none (Personal Space) ~ (none)" in verdicts["Private"]
    assert all(reason in shown for reason in reasons.values() if reason)
    (message,) = slack_messages(site)
    assert message["channel_name"] == "#finance-data"
