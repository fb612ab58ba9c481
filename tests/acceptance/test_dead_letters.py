"""Dead letters whose own destination does not work: someone else is notified, and the server says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from tests.acceptance.simulation import EVENT, finished_events
from tests.support.server import serving, wait_for

RULES = """
[[rule]]
name = "Admins"
on = "Admin*"
notify = "slack:#bi"

[dead_letters]
notify = "slack:#bi"
"""


@pytest.mark.second_stage
def test_dead_token_is_reported_by_sms_and_by_doctor_readyz_and_explain(site: Running, tmp_path: Path) -> None:
    """The Slack token died, and with it the only destination of dead letters; Twilio is configured, too."""
    rules = tmp_path / "rules.toml"
    rules.write_text(RULES, encoding="utf-8")
    variables = {**site.environment, "SLACK_TOKEN": "xoxb-revoked", "RULES_FILE": str(rules)}
    with serving(tmp_path, variables) as server:
        assert requests.post(server.hook, json=EVENT, timeout=30).status_code == 200
        # An SMS counts as sent after a minute, when its delivery is looked up.
        (event,) = wait_for(lambda: finished_events(server), seconds=100, what="all jobs to end")
        (sms,) = requests.get(f"{site.url}/simulator/messages", timeout=30).json()["sms"]
        assert "Could not deliver" in json.dumps(sms)
        explained = server.flask("events", "explain", str(event["id"]), "--json").stdout
        notice = next(one for one in json.loads(explained)["explanation"] if one["kind"] == "announcement")
        assert (notice["verdict"], "notified: twilio; failed: slack:#bi (" in notice["reason"]) == ("notified", True)
        ready: dict[str, Any] = requests.get(f"{server.url}/readyz", timeout=30).json()
        assert ready["warnings"] == ["Dead letters cannot be delivered to 1 of their destinations. Run flask doctor."]
        doctor = server.flask("doctor")
        assert "dead letters cannot be delivered to slack:#bi" in " ".join(doctor.stdout.split()), doctor.stdout
