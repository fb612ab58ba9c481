"""Test that all processes of an inbox plan by the same rules, and that a broken file leaves the rules in force."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.handler_context import inbox
from tests.support.server import wait_for
from webhooks import active_rules
from webhooks.active_rules import ActiveRules
from webhooks.errors import PlanningPaused
from webhooks.handlers.notify import NotifyParams
from webhooks.inbox import Inbox
from webhooks.rules import Rules, RulesError, parse, watch

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


def test_running_server_follows_another_one(new: New, caplog: pytest.LogCaptureFixture) -> None:
    """During a deployment the older server plans by the newer rules as well, and says that its file is not in force."""
    changes: list[list[str]] = []
    old = new("old.toml", RULE.format(name="Old"), on_change=lambda rules: changes.append(names(rules)))
    old.refresh()
    assert new("new.toml", RULE.format(name="New")).refresh() == 2
    with caplog.at_level(logging.WARNING):
        assert old.refresh() == 2
        assert old.refresh() == 2
    assert names(old.rules) == ["New"]
    assert caplog.text.count("Rules file not in force") == 1
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
    assert broken.problems() == [
        "The rules file is invalid; version 1 of the rules is in force. Run `flask rules check`."
    ]


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
    # Of a process that stood by while another one planned.
    stood_by = new("a.toml")
    assert any("plans no events" in problem for problem in stood_by.problems())
    with pytest.raises(PlanningPaused):
        stood_by.refresh()
    assert caplog.text.count("planning is paused") == 1
    caplog.clear()
    for _ in range(3):
        with pytest.raises(PlanningPaused):
            active.refresh()
    assert caplog.text.count("planning is paused") == 1
    assert any("plans no events" in problem for problem in active.problems())
    inbox.rule_versions.activate(RULE.format(name="C"), "newer:/rules.toml")
    assert active.refresh() == 3
    assert names(active.rules) == ["C"]


@contextmanager
def watching(active: ActiveRules, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Watch the file as a worker does, more often; the event is set for each change."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.02)
    stopping, woken = threading.Event(), threading.Event()
    thread = threading.Thread(target=active.watch, args=(stopping, woken.set))
    thread.start()
    try:
        yield woken
    finally:
        stopping.set()
        thread.join()


def test_changed_file_is_used_without_a_restart(
    new: New, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Any way of replacing the file is noticed: writing, renaming, swapping links; an invalid one is not used."""
    active, path = new("a.toml", RULE.format(name="A")), tmp_path / "a.toml"
    assert active.refresh() == 1
    with watching(active, monkeypatch) as woken:
        path.write_text(RULE.format(name="B"))
        assert woken.wait(10)
        assert active.refresh() == 2
        (tmp_path / "a.toml.new").write_text(RULE.format(name="C"))
        (tmp_path / "a.toml.new").replace(path)
        wait_for(lambda: active.refresh() == 3, what="the renamed file")
        for folder, name in (("..one", "D"), ("..two", "E")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "a.toml").write_text(RULE.format(name=name))
        (tmp_path / "..data").symlink_to("..one")
        path.unlink()
        path.symlink_to("..data/a.toml")
        wait_for(lambda: names(active.rules) == ["D"] or (active.refresh() and False), what="the link")
        (tmp_path / "..data.new").symlink_to("..two")
        (tmp_path / "..data.new").replace(tmp_path / "..data")
        wait_for(lambda: active.refresh() and names(active.rules) == ["E"], what="the swapped link")
        version = active.refresh()
        path.write_text("[[rule]\n")
        wait_for(lambda: "Rules file invalid, keeping the rules in force" in caplog.text, what="the report")
        assert active.refresh() == version
        assert any("is invalid" in problem for problem in active.problems())
        path.unlink()
        wait_for(lambda: "cannot be read" in caplog.text, what="the report")
        assert (active.refresh(), names(active.rules)) == (version, ["E"])
        path.write_text(RULE.format(name="F"))
        wait_for(lambda: active.refresh() and names(active.rules) == ["F"], what="the new file")
        assert active.problems() == []


def test_file_that_is_being_written_is_not_taken_for_a_shorter_one(tmp_path: Path) -> None:
    """An empty file is valid and has no rules; it counts only if it is still empty at the next look."""
    path = tmp_path / "rules.toml"
    path.write_text(RULE.format(name="A"))
    file = watch.RulesFile(path, lambda source: parse(source, {"notify": NotifyParams}))
    before = file.read()
    path.write_text("")
    assert not file.look()
    path.write_text(RULE.format(name="A"))
    assert not file.look()
    assert file.read() == before
    path.write_text("")
    assert not file.look()
    assert file.look()
    assert file.read().error is None
    assert not file.look()


def test_process_that_plans_nothing_knows_the_rules_in_force(new: New, inbox: Inbox) -> None:
    """A server without a worker never activates its file, and follows the others."""
    web = new("a.toml", RULE.format(name="A"))
    assert names(web.rules) == ["A"]
    new("b.toml", RULE.format(name="B")).refresh()
    assert names(web.rules) == ["B"]
    new("b.toml", RULE.format(name="C")).refresh()
    assert names(web.rules) == ["C"]
    assert [version.source.rpartition("/")[2] for version in inbox.rule_versions.list()] == ["b.toml", "b.toml"]
