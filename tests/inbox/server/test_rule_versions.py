"""Test the stored versions of the rules."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.databases import NOTIFY
from webhooks.event import Event
from webhooks.inbox import Inbox


def test_first_rules_are_in_force(inbox: Inbox) -> None:
    """Without any version nothing is in force; the first activated one is."""
    assert inbox.rule_versions.current() is None
    assert inbox.rule_versions.current_id() is None
    version = inbox.rule_versions.activate("a = 1", "host:/rules.toml")
    assert inbox.rule_versions.current() == version
    assert (version.text, version.source) == ("a = 1", "host:/rules.toml")


def test_unchanged_file_is_activated_once(inbox: Inbox) -> None:
    """Every process of a server activates its file when it starts; that makes one version."""
    first = inbox.rule_versions.activate("a = 1", "host:/rules.toml")
    assert inbox.rule_versions.activate("a = 1", "host:/rules.toml") == first
    assert inbox.rule_versions.activate("a = 1", "another:/rules.toml") == first


def test_restarted_process_of_an_older_deployment_does_not_bring_its_rules_back(inbox: Inbox) -> None:
    """A source whose file has not changed since it was last seen leaves the newer version in force."""
    inbox.rule_versions.activate("old = 1", "old:/rules.toml")
    new = inbox.rule_versions.activate("new = 1", "new:/rules.toml")
    assert inbox.rule_versions.activate("old = 1", "old:/rules.toml") == new
    assert inbox.rule_versions.current() == new


def test_same_rules_elsewhere_count_as_seen(inbox: Inbox) -> None:
    """A second server with the first one's rules does not bring them back after a deployment, either."""
    inbox.rule_versions.activate("old = 1", "one:/rules.toml")
    inbox.rule_versions.activate("old = 1", "two:/rules.toml")
    new = inbox.rule_versions.activate("new = 1", "one:/rules.toml")
    assert inbox.rule_versions.activate("old = 1", "two:/rules.toml") == new


def test_changed_and_reverted_files_are_activated(inbox: Inbox) -> None:
    """Each change of a file makes a version, also one that restores an older text; so does force."""
    for text in ("a = 1", "a = 2", "a = 1"):
        assert inbox.rule_versions.activate(text, "host:/rules.toml").text == text
    inbox.rule_versions.activate("b = 1", "another:/rules.toml")
    forced = inbox.rule_versions.activate("a = 1", "host:/rules.toml", force=True)
    assert inbox.rule_versions.current() == forced
    assert [version.text for version in inbox.rule_versions.list()] == ["a = 1", "b = 1", "a = 1", "a = 2", "a = 1"]


def test_included_files_belong_to_the_version(inbox: Inbox) -> None:
    """A change of an included file alone makes a version; each has the texts of its own time."""
    first = inbox.rule_versions.activate("a = 1", "host:/rules.toml", included={"rules.d/b.toml": "b = 1"})
    assert inbox.rule_versions.activate("a = 1", "host:/rules.toml", included={"rules.d/b.toml": "b = 1"}) == first
    second = inbox.rule_versions.activate("a = 1", "host:/rules.toml", included={"rules.d/b.toml": "b = 2"})
    assert [version.included["rules.d/b.toml"] for version in inbox.rule_versions.list()] == ["b = 2", "b = 1"]
    assert inbox.rule_versions.get(first.id) == first
    assert inbox.rule_versions.get(second.id + 1) is None


def test_event_records_the_version_it_was_planned_by(inbox: Inbox, event: Callable[..., Event]) -> None:
    """Also an event that was ignored; before planning there is none."""
    matched, ignored = (inbox.events.receive(event(resource_name=name)).id for name in ("x", "y"))
    assert inbox.events.get(matched).rules_version is None  # type: ignore[union-attr]
    inbox.events.plan(lambda one: [NOTIFY] if one.id == matched else [], rules_version=7)
    for event_id in (matched, ignored):
        record = inbox.events.get(event_id)
        assert record is not None
        assert record.rules_version == 7
