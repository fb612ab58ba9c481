"""The schedule in the message about a failing refresh: Tableau's strikes, the next run, dependent workbooks."""

from __future__ import annotations

from dataclasses import replace

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


def fail(story: Story, minutes: float, reason: str) -> None:
    """Let a refresh fail at that time, whose event waits."""
    story.at(minutes)
    caused = story.simulation.cause(FAILED, name="Sales", reason=reason)
    times = {"created_at": f"{story.now:%Y-%m-%dT%H:%M:%SZ}", "text": ""}
    story.simulation.inbox.events.receive(story.simulation.event(**{**caused.payload, **times}))
    newest = max(story.simulation.running.world.home.jobs.values(), key=lambda job: job.created_at)
    newest.completed_at = newest.started_at = story.now


def test_backlog_of_one_content_asks_about_its_last_failure(story: Story) -> None:
    """Of failures that wait together, the first and the last one ask Tableau; the message shows the last reason."""
    for number in range(8):
        fail(story, 10 * number, f"Reason {number}")
    story.work()
    (text,) = story.top_level
    assert "Reason 7" in text
    assert "Failures: 8 in a row" in text
    # The list of jobs, and the job in it, for each of the two.
    assert calls(story, "/jobs") == 4


@pytest.mark.parametrize("later", ["other hour", "other rule", "other reason", "history"])
def test_earlier_failure_asks_if_the_later_one_does_not(story: Story, later: str) -> None:
    """A later failure that has no job of the rule, or one that does nothing, does not keep an earlier one from asking.

    The message has the reason of the last failure that the rule is about, and Tableau's count of failures.
    """
    story.start = story.now = story.now.replace(hour=4, minute=0, second=0)
    actions = {
        "other hour": 'where = { hour = "4" }\nnotify = "slack:#bi"',
        "other rule": f'''where = {{ hour = "5" }}\nstop = true\nnotify = {{ to = "console", each = true }}
            [[rule]]\nname = "S"\non = "{FAILED}"\nnotify = "slack:#bi"''',
        "other reason": 'where = { reason = "Reason*" }\nnotify = "slack:#bi"',
    }
    story.action = actions.get(later, story.action)
    fail(story, 0, "Reason 0")
    story.work()
    fail(story, 20, "Reason 1")
    if later == "history":
        story.at(70)
        (record,) = story.simulation.inbox.incidents.list()
        last = story.simulation.inbox.incidents.get(record.id).incident.runs[-1].evidence[0]
        story.simulation.inbox.incidents.learn(
            replace(last, source="job list", event_id=None, ended_at=story.now, reason="", job_luid="later")
        )
    else:
        fail(story, 70, "Disk full")
    story.work()
    (text,) = story.top_level
    assert "Reason 1" in text
    assert f"{2 if later == 'history' else 3} of 5 before Tableau suspends" in text
