"""Failures of content that reads one database share a message, and silences select by tags: both from Tableau."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tableau_rest.transport import Timeouts
from tests.handlers.test_incident_notices import FAILED, Story, story
from webhooks.context import upstream

__all__ = ["story"]


def publish(story: Story, name: str, *servers: str) -> None:
    """Publish a workbook with a published data source on each of these servers."""
    story.simulation.cause("WorkbookCreated", name=name)
    home = story.simulation.running.world.home
    (book,) = [one for one in home.workbooks.values() if one.name == name]
    book.datasources.clear()
    for server in servers:
        known = [one for one in home.datasources.values() if one.server == server]
        if not known:
            story.simulation.cause("DatasourceCreated", name=f"Source on {server}")
            known = [one for one in home.datasources.values() if one.name == f"Source on {server}"]
            known[0].server = server
        book.datasources.append(known[0].luid)


def fail_every_four_minutes(story: Story, *contents: str) -> None:
    """Publish a workbook for each text, the servers that it reads, and let their refreshes fail every four minutes."""
    for number, servers in enumerate(contents):
        publish(story, f"Report {number}", *servers.split())
    for number in range(len(contents)):
        story.at(4 * number)
        # No reason says that it has nothing to do with the database.
        story.refresh(FAILED, name=f"Report {number}", reason="Connection refused")


def first_lines(story: Story) -> list[str]:
    return [text.partition("\n")[0] for text in story.top_level]


def test_third_failure_of_one_database_is_a_group(story: Story) -> None:
    """The message names the database; content that reads another one has a message of its own."""
    fail_every_four_minutes(story, "DB1.acme.example other", "db1.acme.example", "two", "db1.acme.example")
    assert first_lines(story) == [
        *[f"Failing: Report {number} (workbook)" for number in range(3)],
        "Failing: 3 refreshes",
    ]
    assert "\nAll read db1.acme.example." in story.top_level[-1]
    assert "Report 2" not in story.top_level[-1]


@pytest.mark.parametrize("path", ["graphql", "graphql|connections"])
def test_refused_lookup_changes_nothing(story: Story, path: str) -> None:
    """Without the Metadata API the connections are asked; without both each failure has a message as before."""
    story.simulation.inject(kind="error", status=403, path=path)
    fail_every_four_minutes(story, "db1", "db1", "db1")
    grouped = "connections" not in path
    assert first_lines(story)[-1] == ("Failing: 3 refreshes" if grouped else "Failing: Report 2 (workbook)")
    assert "could not look up" not in story.top_level[-1]


def test_slow_lookup_is_given_up(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Tableau does not say in time which databases content reads, the message is sent without it."""
    monkeypatch.setattr(upstream, "TIMEOUTS", Timeouts(0.2, 0.2, 0.2))
    story.simulation.inject(kind="delay", seconds=2, path="graphql|connections")
    fail_every_four_minutes(story, "db1", "db1", "db1")
    assert first_lines(story) == [f"Failing: Report {number} (workbook)" for number in range(3)]


def test_reason_of_its_own_is_not_compared(story: Story) -> None:
    """Failures by a missing column have separate messages, because the database works."""
    for number in range(3):
        publish(story, f"Report {number}", "db1")
    for number in range(3):
        story.at(4 * number)
        story.refresh(FAILED, name=f"Report {number}", reason="The column 'net_amount' does not exist")
    assert len(story.top_level) == 3
    assert "refreshes" not in story.top_level[-1]


def test_first_message_waits_for_no_lookup(story: Story) -> None:
    """The databases are looked up after the first message, and before the second one."""
    publish(story, "Report 0", "db1")
    calls = story.simulation.running.world.calls
    story.refresh(FAILED, name="Report 0")
    order = [one.path for one in calls.log if "graphql" in one.path or "chat.postMessage" in one.path]
    assert ("graphql" in order[0], "postMessage" in order[0]) == (False, True)


@pytest.mark.parametrize(("tags", "silenced"), [(["gold", "nightly"], True), (["gold"], False), ([], False)])
def test_silence_by_tag(story: Story, tags: list[str], silenced: bool) -> None:
    """A silence by tags holds the messages about content with such a tag, and those about no other content."""
    publish(story, "Report 0")
    (book,) = [one for one in story.simulation.running.world.home.workbooks.values() if one.name == "Report 0"]
    book.tags[:] = tags
    silence(story, "night*")
    story.refresh(FAILED, name="Report 0")
    assert len(story.top_level) == (0 if silenced else 1)
    (record,) = story.simulation.inbox.incidents.list()
    assert record.details.tags == tuple(tags)
    story.simulation.inbox.silences.end(1, story.now)
    story.work()
    assert len(story.top_level) == 1


def test_unknown_tags_are_not_silenced(story: Story) -> None:
    """While Tableau does not respond, a silence by tags holds nothing, and the message says so until it does."""
    silence(story, "!draft")
    fault = story.simulation.inject(kind="html", status=503)
    story.refresh(FAILED, run_seconds=1)
    (text,) = story.top_level
    assert "Not silenced by silence 1: the tags are unknown." in text
    story.simulation.running.world.faults.remove(fault)
    story.work()
    # It is held now: the message that was sent is not changed before the end.
    assert len(story.top_level) == 1


def silence(story: Story, *tags: str) -> None:
    """Add a silence by these patterns of tags for two hours."""
    end = story.now + timedelta(hours=2)
    story.simulation.inbox.silences.add(matchers={"tags": tags}, start=story.now, end=end, by="Ann", reason="Upgrade")
