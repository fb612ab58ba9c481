"""One id leads through the log of a real server, from the request to the message, in both formats."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Config, Running, running
from tests.acceptance.simulation import cause, slack_messages
from tests.support.server import Server, free_port, serving, wait_for
from webhooks.inbox import Inbox

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(300)]

RULES = """
[[rule]]
name = "Failures"
on = "*RefreshFailed"
notify = "slack:#bi"

[[rule]]
name = "Updates"
on = "WorkbookUpdated"
notify = "slack:#nowhere"
"""


@pytest.fixture
def port() -> int:
    """Return the port of the server."""
    return free_port()


@pytest.fixture
def site(port: int) -> Iterator[Running]:
    """Run a simulated site whose Slack reports the presses of buttons to the server."""
    url = f"http://127.0.0.1:{port}/slack/interactions"
    with running(Config(refresh_seconds=0, slack_interactions_url=url)) as site:
        yield site


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_one_id_leads_from_the_request_to_the_message(
    log_format: str, site: Running, port: int, register: Callable[[Server], None], tmp_path: Path
) -> None:
    """Request, message, press, act of a program, dead letter and replay: all lines have the ids."""
    (tmp_path / "rules.toml").write_text(RULES)
    more = {"LOG_FORMAT": log_format, "RULES_FILE": str(tmp_path / "rules.toml")}
    with serving(tmp_path, site.environment, port=port, **more) as server:
        register(server)
        bearer = _token(server)

        def grep(kind: str, number: int, *parts: str) -> list[str]:
            """Return the lines with the id as docs/howto/watch.md finds them, once each part is in one of them."""
            pattern = re.compile(rf'\b{kind}"?[ =:]+{number}\b')
            wait_for(lambda: not (set(parts) - _found(server.log, pattern, parts)), what=f"{parts} of {kind} {number}")
            return [line for line in server.log.read_text().splitlines() if pattern.search(line)]

        def message() -> dict[str, Any]:
            shown = [one for one in slack_messages(site) if "Sales (workbook)" in one["text"] and not one["thread_ts"]]
            return shown[0] if shown else {}

        cause(site, event_type="WorkbookRefreshFailed", name="Sales", reason="Disk full")
        posted = wait_for(message, what="the message")
        (event,) = [one["id"] for one in server.events() if one["event_type"] == "WorkbookRefreshFailed"]
        lines = grep("event", event, "Event received", "Message posted: to=slack:#bi", " done")
        assert posted["ts"] in "".join(lines)
        incidents = requests.get(f"{server.url}/api/v1/incidents?state=open", headers=bearer, timeout=30).json()
        (incident,) = [one["id"] for one in incidents["items"] if one["resource_name"] == "Sales"]

        press = {"channel": posted["channel"], "ts": posted["ts"], "user": "ben@acme.example", "button": "Acknowledge"}
        assert requests.post(f"{site.url}/simulator/slack/press", json=press, timeout=30).json()["status"] == 200
        wait_for(lambda: "Acknowledged by" in message()["text"], what="the edit")
        note = requests.post(
            f"{server.url}/api/v1/incidents/{incident}/note", json={"note": "x"}, headers=bearer, timeout=30
        )
        assert note.status_code == 200, note.text
        parts = ["act='acknowledge'", "Button pressed", "(press ", "Message edited", "act='note'"]
        grep("incident", incident, *parts)
        grep("event", event, "act='acknowledge'", "act='note'", "(press ")

        cause(site, event_type="WorkbookUpdated", name="Sales")
        (dead,) = wait_for(
            lambda: [
                job
                for one in server.events()
                if one["event_type"] == "WorkbookUpdated"
                for job in one["jobs"]
                if job["state"] == "dead"
            ],
            seconds=120,
            what="the dead letter",
        )
        (updated,) = [one["id"] for one in server.events() if one["event_type"] == "WorkbookUpdated"]
        grep("event", updated, "Event received", " is dead: ")
        ids = {"ids": [dead["id"]]}
        replayed = requests.post(f"{server.url}/api/v1/dead-letters/replay", json=ids, headers=bearer, timeout=30)
        assert replayed.status_code == 200, replayed.text
        assert any("act='replay'" in line for line in grep("job", dead["id"], " is dead: ", "act='replay'"))
    for line in server.log.read_text().splitlines() if log_format == "json" else ():
        assert isinstance(json.loads(line), dict)


def _found(log: Path, pattern: re.Pattern[str], parts: tuple[str, ...]) -> set[str]:
    lines = [line for line in log.read_text().splitlines() if pattern.search(line)]
    return {part for part in parts if any(part in line for line in lines)}


def _token(server: Server) -> dict[str, str]:
    inbox = Inbox.open(server.environment["DATABASE_URL"])
    try:
        return {
            "Authorization": f"Bearer {inbox.sign_ins.create_token(name='agent', role='admin', by='x', seconds=3600)}"
        }
    finally:
        inbox.close()
