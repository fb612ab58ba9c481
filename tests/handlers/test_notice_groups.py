"""Messages that several incidents share, against a simulated Tableau and Slack."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from pydantic import SecretStr

from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story, story
from webhooks.errors import RetryLater
from webhooks.incidents import Act, WeeklyPeriod

__all__ = ["story"]

SECOND = timedelta(seconds=1)


def storm(story: Story, event_type: str, numbers: range, *, every: float = 1.0) -> None:
    """Let the refreshes of these workbooks end, one after the other."""
    known = {one.name for one in story.simulation.running.world.home.workbooks.values()}
    for number in numbers:
        if f"Report {number}" not in known:
            story.simulation.cause("WorkbookCreated", name=f"Report {number}")
        story.refresh(event_type, name=f"Report {number}", run_seconds=every)


def first_lines(story: Story) -> list[str]:
    return [text.partition("\n")[0] for text in story.top_level]


def test_storm_is_two_messages(story: Story) -> None:
    """The first failure has its own message at once; all others are lines of one message, which late ones join."""
    storm(story, FAILED, range(20))
    story.work()
    first, group = story.top_level
    assert first.startswith("Failing: Report 0 (workbook)")
    assert group.startswith("Failing: 20 refreshes\n20 open.")
    assert all(f"Report {number} ·" in group for number in range(20))
    assert story.replies == []


def test_waits_of_a_shared_message_do_not_grow(story: Story) -> None:
    """Its job waits often in a storm, and each time for as long as it says, not for up to minutes more."""
    storm(story, FAILED, range(8))
    story.work()
    waits = [error for handler, error in story.waits if handler == "notice_group"]
    assert waits
    assert all(isinstance(error, RetryLater) and error.spread is not None and error.spread <= 1 for error in waits)


def test_members_of_a_group_are_notified(story: Story) -> None:
    """Every incident of a shared message says since when its destination shows it."""
    storm(story, FAILED, range(8))
    story.work()
    notices = [notice for record in story.simulation.inbox.incidents.list() for notice in record.notices]
    assert sum(not notice.posted for notice in notices) == 7
    assert all(notice.posted_at and notice.posted_at >= notice.created_at for notice in notices)


def test_first_message_of_a_storm_is_immediate(story: Story) -> None:
    """The first failure is sent before the second one is there."""
    storm(story, FAILED, range(1))
    assert len(story.top_level) == 1


def test_two_failures_have_messages_of_their_own(story: Story) -> None:
    """Two failures within a minute have a message each, the second some seconds late."""
    storm(story, FAILED, range(2))
    story.work(15)
    assert first_lines(story) == [f"Failing: Report {number} (workbook)" for number in range(2)]


@pytest.mark.parametrize("every", [10, 14, 29])
def test_slow_storm_is_three_messages(story: Story, every: int) -> None:
    """If refreshes fail slowly, the first two have been sent when the third makes a group, which lists them as well."""
    storm(story, FAILED, range(6), every=every)
    story.work()
    assert first_lines(story)[-1] == "Failing: 6 refreshes"
    assert len(story.top_level) <= 3


def test_recoveries_are_shown_in_the_table_until_all_have_closed(story: Story) -> None:
    """Each recovery changes its line; with the last one the message and its thread say that all have recovered."""
    storm(story, FAILED, range(6))
    story.work()
    story.at(60)
    storm(story, SUCCEEDED, range(4))
    story.work()
    assert "2 open, 4 closed." in story.top_level[1]
    assert first_lines(story)[1] == "Failing: 6 refreshes"
    story.at(70)
    storm(story, SUCCEEDED, range(4, 6))
    story.work()
    assert first_lines(story) == ["Recovered: Report 0 (workbook)", "Recovered: 6 refreshes"]
    assert story.replies[-1].startswith("Recovered: 6 closed")
    assert len(story.top_level) == 2


def test_members_are_acknowledged_alone(story: Story) -> None:
    """An acknowledgement concerns one line and names who acknowledged."""
    storm(story, FAILED, range(6))
    story.work()
    record = next(one for one in story.simulation.inbox.incidents.list() if one.incident.resource_name == "Report 3")
    story.simulation.inbox.incidents.act(record.id, Act("", "acknowledge", "", story.now, "Ann", None))
    story.work()
    (line,) = [line for line in story.top_level[1].splitlines() if line.startswith("Report 3 ·")]
    assert "Acknowledged by Ann" in line
    assert "5 open, 1 acknowledged." in story.top_level[1]
    assert "Acknowledged" not in story.top_level[0]


def test_notes_about_members_are_in_the_thread(story: Story) -> None:
    """A note about one incident of a group is a reply that names it."""
    storm(story, FAILED, range(4))
    story.work()
    record = next(one for one in story.simulation.inbox.incidents.list() if one.incident.resource_name == "Report 3")
    story.simulation.inbox.incidents.act(record.id, Act("", "note", "", story.now, "Ann", text="Known."))
    story.work()
    assert story.replies == ["Report 3: Note by Ann: Known."]


def test_later_failure_has_a_message_of_its_own(story: Story) -> None:
    """Five minutes after the last one joined, a new incident is not hidden in an edit."""
    storm(story, FAILED, range(5))
    story.work()
    story.at(10)
    storm(story, FAILED, range(5, 6))
    assert first_lines(story)[-1] == "Failing: Report 5 (workbook)"


def test_failure_after_the_end_of_the_storm_alerts(story: Story) -> None:
    """A failure soon after all have recovered has a message of its own, as edits of a closed message are not seen."""
    storm(story, FAILED, range(5))
    story.work()
    storm(story, SUCCEEDED, range(5))
    story.work()
    storm(story, FAILED, range(7, 8))
    assert first_lines(story)[-1] == "Failing: Report 7 (workbook)"


def test_storm_after_the_storm_in_the_thread(story: Story) -> None:
    """If a member fails again after all had recovered, the thread says so."""
    storm(story, FAILED, range(5))
    story.work()
    storm(story, SUCCEEDED, range(5))
    story.work()
    storm(story, FAILED, range(3, 4))
    story.work()
    assert first_lines(story)[1] == "Failing: 5 refreshes"
    assert story.replies[-1].startswith("Failing: 1 open, 4 closed")


def test_flapping_storm_in_the_thread(story: Story) -> None:
    """While members fail and recover by turns, the thread is silent; it says once that they have been well for long."""
    storm(story, FAILED, range(5))
    story.work(60)
    storm(story, SUCCEEDED, range(5))
    story.work(60)
    for flap in range(3):
        for minutes, event_type in ((10, FAILED), (15, SUCCEEDED)):
            story.at(flap * 10 + minutes)
            storm(story, event_type, range(3, 4), every=120)
    group = [text.partition(" closed")[0] for text in story.replies if not text.startswith("Report 0")]
    assert group == ["Recovered: 5", "Failing: 1 open, 4"]
    story.at(35 + 31)
    story.work()
    assert story.replies[-1].startswith("Recovered: 5 closed")


def test_group_that_recovers_before_it_is_shown_is_not_posted(story: Story) -> None:
    """A shared message that waits for further failures is not sent if all refreshes have recovered meanwhile."""
    story.action = 'notify = "console"'
    storm(story, FAILED, range(6))
    story.work(15)
    storm(story, SUCCEEDED, range(6))
    story.work(300)
    groups = {notice.group_id for record in story.simulation.inbox.incidents.list() for notice in record.notices}
    (group,) = (story.simulation.inbox.notice_groups.get(one) for one in groups if one is not None)
    assert group is not None
    assert group.posted_at is None


def test_group_is_reminded_once(story: Story) -> None:
    """`repeat` reminds of all incidents of a group in one reply."""
    story.action = 'notify = "slack:#bi"\nrepeat = "1h"'
    storm(story, FAILED, range(6))
    story.work()
    story.at(62)
    story.work()
    reminders = [one for one in story.replies if one.startswith("Failing: ")]
    assert reminders == ["Failing: 6 open"]
    assert len(story.top_level) == 2


def test_storm_at_two_destinations(story: Story) -> None:
    """Each destination has its own group; an escalation is a group as well."""
    story.action = 'notify = ["slack:#bi", { to = "slack:#finance-data", after = "30m" }]'
    storm(story, FAILED, range(6))
    story.work()
    assert len(story.top_level) == 2
    story.at(31)
    story.work()
    assert first_lines(story)[2:] == ["Failing: Report 0 (workbook)", "Failing: 6 refreshes"]


def test_end_of_quiet_hours_is_one_message(story: Story) -> None:
    """All that opened within quiet hours and is still open is listed in one message at their end."""
    start = story.start
    until = start + timedelta(hours=2)
    story.action = (
        f'notify = "slack:#bi"\nquiet = {{ from = "{start - timedelta(hours=1):%H:%M}", to = "{until:%H:%M}" }}'
    )
    storm(story, FAILED, range(4))
    story.work()
    storm(story, SUCCEEDED, range(1))
    story.work()
    assert story.top_level == []
    story.now = until.replace(second=0) + SECOND
    story.work()
    (text,) = story.top_level
    assert text.startswith("Failing: 3 refreshes\n3 open.\nOpened during a silence or quiet hours")
    assert "Report 0" not in text
    storm(story, SUCCEEDED, range(1, 4))
    story.work()
    assert first_lines(story) == ["Recovered: 3 refreshes"]


def test_end_of_a_weekly_silence_is_one_message(story: Story) -> None:
    """All that a recurring silence has held, and is still open, is one message at the end of its weekly time."""
    start, until = story.start, story.start + timedelta(hours=2)
    story.simulation.inbox.silences.add(
        matchers={"resource_name": ["Report *"]},
        start=start - timedelta(days=30),
        end=None,
        by="Ann",
        reason="Maintenance",
        weekly=WeeklyPeriod(
            start=(start - timedelta(hours=1)).time(),
            end=until.time(),
            days=frozenset({(start - timedelta(hours=1)).weekday()}),
            zone=UTC,
        ),
    )
    storm(story, FAILED, range(3))
    story.refresh(FAILED, name="Sales")
    assert first_lines(story) == ["Failing: Sales (workbook)"]
    story.now = until + SECOND
    story.work()
    assert first_lines(story)[1:] == ["Failing: 3 refreshes"]


def test_lines_without_room_are_behind_a_link(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """If people can open the pages, the line that counts what is left out leads to one with all of the message."""
    public = {"public_url": "https://hooks.example", "admin_password": SecretStr("a-password-of-the-test")}
    story.simulation.settings = story.simulation.settings.model_copy(update=public)
    story.action = 'notify = "console"'
    storm(story, FAILED, range(12))
    story.work()
    (number,) = {notice.group_id for one in story.simulation.inbox.incidents.list() for notice in one.notices}
    assert f"… and 2 more: https://hooks.example/incidents?group={number}\n" in capsys.readouterr().out


def test_storm_where_nothing_can_be_edited(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """Without edits the shared message waits until a minute has passed without another failure, and lists them."""
    story.action = 'notify = "console"'
    storm(story, FAILED, range(12))
    story.work(50)
    assert "refreshes" not in capsys.readouterr().out
    story.work()
    shown = capsys.readouterr().out
    assert shown.count("Failing: 12 refreshes") == 1
    assert all(f"Report {number} " in shown for number in range(10))
    # The console shows ten rows.
    assert "… and 2 more\n  All incidents: flask incidents list --limit 0" in shown
    assert len(story.simulation.inbox.incidents.list(group=1)) == 12
    # A later failure cannot be shown there.
    storm(story, FAILED, range(20, 21))
    story.work(15)
    assert "Failing: Report 20" in capsys.readouterr().out


def test_silence_that_begins_while_a_shared_message_waits(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """It holds its incidents, which leave the message and are notified at the end; without others none is sent."""
    story.action = 'notify = "console"'

    def silence(name: str, minutes: int) -> None:
        end, matchers = story.now + timedelta(minutes=minutes), {"resource_name": [name]}
        story.simulation.inbox.silences.add(matchers=matchers, start=story.now, end=end, by="Ann", reason="Test")

    storm(story, FAILED, range(6))
    capsys.readouterr()
    silence("Report 4", 30)
    story.work(300)
    shown = capsys.readouterr().out
    assert "Failing: 5 refreshes" in shown or "Failing: 4 refreshes" in shown
    assert "Report 4" not in shown
    story.at(40)
    story.work()
    assert "Failing: Report 4" in capsys.readouterr().out
    storm(story, FAILED, range(10, 16))
    silence("Report 1?", 30)
    capsys.readouterr()
    story.work(300)
    assert "Report" not in capsys.readouterr().out
    story.at(90)
    story.work(300)
    assert "refreshes" in capsys.readouterr().out
