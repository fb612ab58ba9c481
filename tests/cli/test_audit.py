"""Test `flask audit list|verify`, and that commands leave rows."""

from __future__ import annotations

import re

from tests.cli.conftest import Receive, Refreshed, Run, objects
from webhooks.inbox import Inbox


def test_commands_leave_rows(flask: Run, inbox: Inbox, refreshed: Refreshed, receive: Receive) -> None:
    """Acts about incidents, silences, replays and rules are recorded with the author and this computer."""
    refreshed("Failed", "Sales", minutes=90)
    number = inbox.incidents.list()[0].id
    flask("incidents", "ack", str(number), "--by", "Ann", "--note", "on it")
    flask("silences", "add", "--everything", "--for", "2h", "--reason", "upgrade", "--by", "Ben")
    flask("silences", "end", "1")
    flask("events", "replay", str(receive()))
    flask("rules", "activate")
    rows = [(row["act"], row["subject"], row["details"]) for row in objects(flask("audit", "list", "--json").stdout)]
    assert [row[:2] for row in reversed(rows)] == [
        ("acknowledge", f"incident {number}"),
        ("add silence", "silence 1"),
        ("end silence", "silence 1"),
        ("replay", "events"),
        ("activate rules", "version 1"),
    ]
    assert rows[-1][2] == "on it"
    assert rows[-2][2] == "everything: upgrade"
    first = flask("audit", "list", "--subject", f"incident {number}").stdout.splitlines()[1]
    assert " Ann " in first
    assert "command line on " in first


def test_verification_prints_the_digest(flask: Run, inbox: Inbox) -> None:
    """A digest that was noted has to be in the log later."""
    assert "0 rows verified" in flask("audit", "verify").stdout
    inbox.audit.record(by="Ann", origin="page", act="note", subject="incident 1")
    noted = re.findall(r"[0-9a-f]{64}", flask("audit", "verify").stdout)[0]
    inbox.audit.record(by="Ann", origin="page", act="note", subject="incident 1")
    assert "2 rows verified" in flask("audit", "verify", "--digest", noted).stdout
    refused = flask("audit", "verify", "--digest", "0" * 64)
    assert refused.exit_code == 1
    assert "rows were removed" in refused.stderr
