"""Test that all processes of an inbox plan by the same rules, and that a broken file leaves the rules in force."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.handler_context import inbox
from webhooks import active_rules
from webhooks.active_rules import ActiveRules
from webhooks.errors import PlanningPaused
from webhooks.handlers.notify import NotifyParams
from webhooks.inbox import Inbox
from webhooks.rules import Rules, RulesError

__all__ = ["inbox"]

RULE = '[[rule]]\nname = "{name}"\non = "*"\nnotify = "console"\n'
New = Callable[..., ActiveRules]


@pytest.fixture
def new(inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> New:
    """Return a function that starts a server with a rules file of that name and, if given, that text."""
    monkeypatch.setattr(active_rules, "REFRESH_SECONDS", 0.0)

    def new(name: str, text: str | None = None, **options: object) -> ActiveRules:
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        return ActiveRules(path, lambda: inbox.rule_versions, lambda: {"notify": NotifyParams}, **options)  # type: ignore[arg-type]

    return new


def names(rules: Rules) -> list[str]:
    return [rule.name for rule in rules.rules]


def test_server_that_starts_puts_its_file_into_force(new: New) -> None:
    """Before the first refresh the file's rules are known, and after it they have a version."""
    active = new("a.toml", RULE.format(name="A"))
    assert names(active.rules) == ["A"]
    assert active.refresh() == 1
    assert active.refresh() == 1
    assert active.problems() == []


def test_running_server_follows_another_one(new: New) -> None:
    """During a deployment the older server plans by the newer rules as well, and says that its file is not in force."""
    changes: list[list[str]] = []
    old = new("old.toml", RULE.format(name="Old"), on_change=lambda rules: changes.append(names(rules)))
    old.refresh()
    assert new("new.toml", RULE.format(name="New")).refresh() == 2
    assert old.refresh() == 2
    assert names(old.rules) == ["New"]
    assert changes == [["Old"], ["New"]]
    (problem,) = old.problems()
    assert "differs from version 2" in problem


def test_restart_of_the_older_server_keeps_the_newer_rules(new: New, caplog: pytest.LogCaptureFixture) -> None:
    """A worker process that is replaced during a deployment logs that its file is not in force."""
    new("old.toml", RULE.format(name="Old")).refresh()
    new("new.toml", RULE.format(name="New")).refresh()
    with caplog.at_level(logging.WARNING):
        restarted = new("old.toml")
        assert restarted.refresh() == 2
    assert names(restarted.rules) == ["New"]
    assert "Rules file not in force" in caplog.text


def test_broken_file_leaves_the_rules_in_force(new: New, caplog: pytest.LogCaptureFixture) -> None:
    """A server that starts or reloads with a mistake in its file plans by the last valid rules, and logs it."""
    new("a.toml", RULE.format(name="A")).refresh()
    broken = new("a.toml", "[[rule]\n")
    assert broken.refresh() == 1
    assert names(broken.rules) == ["A"]
    assert "Rules file invalid, keeping the rules in force: version=1" in caplog.text
    assert broken.problems() == ["The rules file is invalid; version 1 of the rules is in force."]


def test_broken_file_without_stored_rules_is_an_error(new: New) -> None:
    """There is nothing to fall back to, so nothing is planned silently by no rules."""
    with pytest.raises(RulesError):
        new("a.toml", "[[rule]\n").refresh()


def test_server_that_does_not_know_an_action_plans_nothing(
    new: New, inbox: Inbox, caplog: pytest.LogCaptureFixture
) -> None:
    """Rules that need newer code are left to servers that have it; planning resumes once the rules fit again."""
    active = new("a.toml", RULE.format(name="A"))
    active.refresh()
    inbox.rule_versions.activate('[[rule]]\nname = "B"\non = "*"\nopen_ticket = "x"\n', "newer:/rules.toml")
    for _ in range(3):
        with pytest.raises(PlanningPaused):
            active.refresh()
    assert caplog.text.count("planning is paused") == 1
    assert any("plans no events" in problem for problem in active.problems())
    inbox.rule_versions.activate(RULE.format(name="C"), "newer:/rules.toml")
    assert active.refresh() == 3
    assert names(active.rules) == ["C"]
