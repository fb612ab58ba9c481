"""The schedule in the message about a failing refresh: Tableau's strikes, the next run, dependent workbooks."""

from __future__ import annotations

import pytest

from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story, story

__all__ = ["story"]


def calls(story: Story, part: str) -> int:
    """Return the number of calls of Tableau whose rule contains this text."""
    counts = story.simulation.running.world.calls.counts
    return sum(number for rule, number in counts.items() if part in rule)


def test_strikes_and_next_run_are_shown(story: Story) -> None:
    """The message says how many failures Tableau counts before it suspends the schedule, and when it runs next."""
    for number in range(4):
        story.at(60 * number)
        story.refresh(FAILED)
    (text,) = story.top_level
    assert "Failures: 4 in a row; 4 of 5 before Tableau suspends the schedule" in text
    assert "Next run: " in text
    story.at(300)
    story.refresh(FAILED)
    assert "5 of 5: Tableau suspends the schedule" in story.top_level[0]


def test_recovered_message_has_no_schedule(story: Story) -> None:
    """After the recovery neither strikes nor the next run are shown."""
    story.refresh(FAILED)
    story.at(60)
    story.refresh(SUCCEEDED)
    (text,) = story.top_level
    assert "suspends" not in text
    assert "Next run" not in text


def test_dependent_workbooks_are_counted(story: Story) -> None:
    """The message about a data source says how many workbooks use it; its page lists them without asking Tableau."""
    story.action += '\n[[rule]]\nname = "Data"\non = "DatasourceRefreshFailed"\nnotify = "slack:#bi"'
    used = story.simulation.running.world.home.datasources.values()
    name = sorted(one.name for one in used)[0]
    story.refresh("DatasourceRefreshFailed", name=name)
    (text,) = story.top_level
    assert "Affects: " in text
    (record,) = story.simulation.inbox.incidents.list()
    found = story.simulation.inbox.downstream.get(record.incident.resource_luid)
    assert found is not None
    assert found.number == len(found.workbooks) == record.details.downstream
    assert all(one.luid and one.name and one.project for one in found.workbooks)


@pytest.mark.parametrize("status", [403, 500])
def test_refusal_does_not_hold_the_message_up(story: Story, status: int) -> None:
    """If Tableau refuses the list of tasks or the lineage, the message is sent without them."""
    story.simulation.inject(kind="error", status=status, path="extractRefreshes|graphql")
    story.refresh(FAILED)
    (text,) = story.top_level
    assert "suspends" not in text
    assert "Failures: 1" in text


def test_one_list_serves_many_failures(story: Story) -> None:
    """A storm asks for the tasks of the site every ten seconds at most."""
    names = sorted(one.name for one in story.simulation.running.world.home.workbooks.values())[:6]
    before = calls(story, "extractRefreshes")
    for name in names:
        story.refresh(FAILED, name=name, run_seconds=1)
    assert calls(story, "extractRefreshes") - before == 1


def test_backlog_of_one_content_asks_about_its_last_failure(story: Story) -> None:
    """Of failures that wait together, the first and the last one ask Tableau; the message shows the last reason."""
    for number in range(8):
        story.at(10 * number)
        caused = story.simulation.cause(FAILED, name="Sales", reason=f"Reason {number}")
        times = {"created_at": f"{story.now:%Y-%m-%dT%H:%M:%SZ}", "text": ""}
        story.simulation.inbox.events.receive(story.simulation.event(**{**caused.payload, **times}))
        newest = max(story.simulation.running.world.home.jobs.values(), key=lambda job: job.created_at)
        newest.completed_at = newest.started_at = story.now
    story.work()
    (text,) = story.top_level
    assert "Reason 7" in text
    assert "Failures: 8 in a row" in text
    # The list of jobs, and the job in it, for each of the two.
    assert calls(story, "/jobs") == 4
