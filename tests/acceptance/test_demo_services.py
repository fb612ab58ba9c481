"""The demo without Slack: mail and PagerDuty, whose messages the simulator shows and on which people act offline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.server import ROOT, free_port, kill_group, wait_for

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(180)]

# The demo with its files in a folder of the test, and without a scenario.
DEMO = """
import signal, sys
from pathlib import Path
from simulator.demo import play
signal.signal(signal.SIGTERM, signal.default_int_handler)
folder, port, simulator_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
play.DATA, play.LOG, play.SETTINGS_FILE = folder, folder / "demo.log", folder / "demo.json"
play.SCENARIO, play.RECOVERY_PAUSE = (), 999.0
play.play(port=port, simulator_port=simulator_port)
"""
RULES = """
[[rule]]
name = "Mail"
on = "WorkbookRefreshFailed"
where = { name = "Month End Close" }
notify = "email:ann@acme.example"

[[rule]]
name = "On call"
on = "WorkbookRefreshFailed"
where = { name = "Sales" }
notify = "pagerduty:data"
"""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Run the demo with these rules, and return the addresses of the server and of the simulator."""
    port, simulator_port = free_port(), free_port()
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")
    command = [sys.executable, "-c", DEMO, str(tmp_path), str(port), str(simulator_port)]
    environment = os.environ | {"RULES_FILE": str(tmp_path / "rules.toml")}
    with (tmp_path / "terminal.log").open("w+b") as output:
        demo = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
        try:
            settings = tmp_path / "demo.json"
            wait_for(lambda: settings.exists() and "Stop" in terminal(tmp_path), seconds=90, what="the demo")
            yield f"http://127.0.0.1:{port}", f"http://127.0.0.1:{simulator_port}"
        finally:
            demo.terminate()
            demo.wait(60)
            kill_group(demo.pid)


def terminal(folder: Path) -> str:
    return (folder / "terminal.log").read_text(encoding="utf-8")


def fail(simulator: str, name: str) -> None:
    event = {"event_type": "WorkbookRefreshFailed", "name": name}
    requests.post(f"{simulator}/simulator/events", json=event, timeout=10).raise_for_status()


def messages(simulator: str, kind: str) -> list[Any]:
    found = requests.get(f"{simulator}/simulator/messages", timeout=10).json()["others"]
    return [message for message in found if message["kind"] == kind]


def incident(server: str, name: str) -> Any:
    listed = requests.get(f"{server}/api/v1/incidents", timeout=10).json()["items"]
    return next((one for one in listed if one["resource_name"] == name), {"state": "none"})


def test_mail_and_pagerduty_can_be_acknowledged_offline(demo: tuple[str, str], tmp_path: Path) -> None:
    """A rule's mail is shown by the page and in the terminal, its link acknowledges, and so does PagerDuty."""
    server, simulator = demo
    fail(simulator, "Month End Close")
    wait_for(lambda: messages(simulator, "email"), seconds=60, what="the mail")
    (mail,) = messages(simulator, "email")
    assert (mail["place"], mail["title"]) == ("ann@acme.example", "Failing: Month End Close")
    link = re.search(r"^Acknowledge: (http://127\.0\.0\.1:\d+/act/\S+)$", mail["text"], re.MULTILINE)
    assert link
    page = requests.get(link[1], timeout=10)
    assert "As ann@acme.example." in page.text
    done = requests.post(link[1], headers={"Sec-Fetch-Site": "same-origin"}, timeout=10)
    assert "Acknowledged." in done.text
    assert incident(server, "Month End Close")["state"] == "acknowledged"

    fail(simulator, "Sales")
    wait_for(lambda: messages(simulator, "pagerduty"), seconds=60, what="the alert")
    alert = {"key": messages(simulator, "pagerduty")[0]["title"], "person": "Ben Duarte"}
    reported = requests.post(f"{simulator}/simulator/pagerduty", json=alert, timeout=30).json()
    assert (reported["status"], reported["error"]) == (204, "")
    wait_for(lambda: incident(server, "Sales")["state"] == "acknowledged", seconds=60, what="the acknowledgement")
    assert [act["by"] for act in incident(server, "Sales")["acts"]] == ["Ben Duarte (PagerDuty)"]
    for unknown in ({"key": "x"}, {"act": "close"}):
        assert requests.post(f"{simulator}/simulator/pagerduty", json=unknown, timeout=10).status_code == 400
    wait_for(lambda: "Mail      to ann@acme.example" in terminal(tmp_path), seconds=60, what="the mail's text")
    assert json.loads((tmp_path / "demo.json").read_text(encoding="utf-8"))["SMTP_HOST"] == "127.0.0.1"
