"""Act about an incident on the command line, and see its message in Slack change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from simulator import Running
from tests.acceptance.simulation import cause, slack_messages
from tests.support.server import Server, serving, wait_for

Register = Callable[[Server], None]


def message(site: Running) -> dict[str, Any]:
    """Return the only message that is not a reply, as it is shown now; empty before it was posted."""
    found = [one for one in slack_messages(site) if not one["thread_ts"]]
    assert len(found) <= 1
    return found[0] if found else {}


def incidents(server: Server) -> list[dict[str, Any]]:
    """Return the output of `flask incidents list --json`."""
    return [json.loads(line) for line in server.flask("incidents", "list", "--json").stdout.splitlines()]


def test_acknowledgement_changes_the_message_in_slack(site: Running, register: Register, tmp_path: Path) -> None:
    """A running server edits the message soon after the command, which needs no credentials of its own."""
    with serving(tmp_path, site.environment) as server:
        register(server)
        cause(site, event_type="WorkbookRefreshFailed", reason="Disk full")
        wait_for(lambda: "Disk full" in str(message(site).get("blocks")), what="the message")
        incident = incidents(server)[0]
        assert incident["notices"][0]["message"] == message(site)["ts"]
        number = str(incident["id"])
        acknowledged = server.flask("incidents", "ack", number, "--for", "2h", "--by", "Ann", "--note", "on it")
        assert acknowledged.returncode == 0, acknowledged.stderr
        wait_for(lambda: message(site)["text"].startswith("Acknowledged: "), what="the edit")
        assert "Acknowledged by: Ann" in message(site)["text"]
        assert server.flask("status").returncode == 1
        assert server.flask("incidents", "close", number, "--by", "Ann").returncode == 0
        wait_for(lambda: message(site)["text"].startswith("Closed: "), what="the closing")
        assert server.flask("status").returncode == 0


def test_refresh_from_the_command_line_is_the_cure(site: Running, register: Register, tmp_path: Path) -> None:
    """After `flask refresh` the message says recovered, and names who started the refresh."""
    site.world.config = replace(site.world.config, refresh_seconds=2)
    with serving(tmp_path, site.environment) as server:
        register(server)
        cause(site, event_type="WorkbookRefreshFailed", reason="Disk full")
        wait_for(lambda: "Disk full" in str(message(site).get("blocks")), what="the message")
        started = server.flask("refresh", str(incidents(server)[0]["id"]), "--by", "Ann")
        assert started.returncode == 0, started.stderr
        assert "Refreshed the workbook" in started.stdout
        wait_for(lambda: message(site)["text"].startswith("Recovered: "), what="the recovery")
        assert "Cured by: a refresh by Ann" in message(site)["text"]
