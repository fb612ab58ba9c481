"""Test `flask sessions list|end`."""

from __future__ import annotations

from tests.cli.conftest import Run, objects
from webhooks.inbox import Inbox


def test_sessions_are_listed_and_ended(flask: Run, inbox: Inbox) -> None:
    """The list has no value of a cookie; one session or all are ended, with rows of the audit log."""
    values = [
        inbox.sign_ins.start(name=name, role="viewer", address="10.0.0.7", password="x", browser="Firefox on Linux")
        for name in ("Ann", "Ben", "Kim")
    ]
    listed = objects(flask("sessions", "list", "--json").stdout)
    assert {one["name"] for one in listed} == {"Ann", "Ben", "Kim"}
    assert {(one["limits"], one["browser"], one["address"]) for one in listed} == {
        ("everything", "Firefox on Linux", "10.0.0.7")
    }
    table = flask("sessions", "list").stdout
    assert "Firefox on Linux" in table
    assert not [value for value in values if value in table]
    assert "ended" in flask("sessions", "end", listed[0]["id"]).stdout
    assert flask("sessions", "end", listed[0]["id"]).exit_code == 1
    assert {one["id"] for one in objects(flask("sessions", "list", "--json").stdout)} == {
        one["id"] for one in listed[1:]
    }
    for wrong in ((), (listed[1]["id"], "--all")):
        assert flask("sessions", "end", *wrong).exit_code == 2
    assert "Ended 2 sessions" in flask("sessions", "end", "--all").stdout
    assert "no sessions" in flask("sessions", "list").stderr
    assert [inbox.sign_ins.find(value, "x") for value in values] == [None] * 3
    assert [entry.act for entry in inbox.audit.list()] == ["sign out all", "end session"]
