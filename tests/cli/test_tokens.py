"""Test `flask tokens list|create|revoke`."""

from __future__ import annotations

from tests.cli.conftest import Run, objects
from webhooks.inbox import Inbox


def test_tokens_are_created_listed_and_revoked(flask: Run, inbox: Inbox) -> None:
    """A token has a role, limits and an end; its value is printed once; acts leave rows of the audit log."""
    options = ("--role", "operator", "--site", "finance", "--project", "Finance", "--project", "HR/*", "--days", "9")
    value = flask("tokens", "create", "--name", "report", "--by", "Ann", *options).stdout.strip()
    found = inbox.sign_ins.find_token(value)
    assert found is not None
    assert (found.name, found.role) == ("report", "operator")
    assert found.scope == '{"sites": ["finance"], "projects": ["Finance", "HR/*"]}'
    (listed,) = objects(flask("tokens", "list", "--json").stdout)
    assert (listed["name"], listed["limits"], listed["by"]) == (
        "report",
        "site finance; project Finance, HR/*",
        "Ann",
    )
    assert "site finance; project Finance, HR/*" in flask("tokens", "list").stdout
    assert value not in flask("tokens", "list").stdout
    inbox.sign_ins.create_token(name="old", role="viewer", by="Ann", seconds=-60)
    assert flask("tokens", "list").stdout.count("(expired)") == 1
    assert "revoked" in flask("tokens", "revoke", "1").stdout
    assert inbox.sign_ins.find_token(value) is None
    assert flask("tokens", "revoke", "1").exit_code == 1
    assert [entry.act for entry in inbox.audit.list()] == ["revoke token", "create token"]


def test_wrong_options_are_refused(flask: Run, inbox: Inbox) -> None:
    """A pattern that excludes, an empty name and an unknown role create nothing."""
    for options in (("--name", "x", "--project", "!HR"), ("--name", " "), ("--name", "x", "--role", "root"), ()):
        assert flask("tokens", "create", *options).exit_code == 2, options
    assert inbox.sign_ins.tokens() == []
    assert "no tokens" in flask("tokens", "list").stderr
