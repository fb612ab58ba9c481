"""Messages about what did not happen: where the failures of the content go, one per problem, and closed by the run."""

from __future__ import annotations

from datetime import UTC, timedelta

from tests.handlers.test_incident_notices import SUCCEEDED, Story, story
from tests.support.simulated_actions import Simulation
from webhooks import rules
from webhooks.incidents import RunEvidence, runs
from webhooks.monitor.watches.recorder import Recorder
from webhooks.registry import registry
from webhooks.watches.expectation import Expectation, ScheduledTask

__all__ = ["story"]

RULES = """
[[rule]]
name = "Finance"
on = "*RefreshFailed"
where = {{ project = "{project}" }}
notify = [
  {{ to = "slack:#bi", title = "{{name}} failed", picture = true }},
  {{ to = "slack:#finance-data", failures = 2 }},
]

[[rule]]
name = "Only starts"
on = "*RefreshStarted"
notify = "slack:#finance-data"
"""
TASK = "task-1"


def content(simulation: Simulation, name: str = "Sales") -> str:
    """Return the LUID of a workbook of the simulated site."""
    return next(one.luid for one in simulation.running.world.home.workbooks.values() if one.name == name)


def miss(story: Story, *, name: str = "Sales") -> None:
    """Let the watch find that the refresh of forty minutes ago has not come."""
    simulation = story.simulation
    expected = Expectation(TASK, content(simulation, name), "workbook", story.now - timedelta(minutes=40))
    site = simulation.running.world.home.luid
    Recorder(simulation.inbox, UTC).missed(expected, story.now - timedelta(minutes=10), site, name)
    story.work()


def use(story: Story, project: str = "Finance") -> None:
    story.rules = rules.parse(RULES.format(project=project), registry.actions)


def test_missed_refresh_is_one_message_that_the_run_closes(story: Story) -> None:
    """The destinations of the failures get it, without the texts about failures; the late run edits it."""
    use(story)
    miss(story)
    (text,) = story.top_level
    assert text.startswith("Missed: Sales (workbook)\nTableau's schedule expected it at ")
    assert "Project: Finance" in text
    assert "Failures" not in text
    story.at(60)
    story.refresh(SUCCEEDED)
    (text,) = story.top_level
    assert text.startswith("Came late: Sales (workbook)\nCame 1 h 40 min late\n")
    assert any(reply.startswith("Sales: Came 1 h 40 min late") for reply in story.replies)
    (record,) = story.simulation.inbox.incidents.list()
    assert (record.incident.kind, record.incident.state) == ("missed", "closed")


def test_second_missed_night_escalates(story: Story) -> None:
    """A destination with failures = 2 is notified of the second missed run in a row, and the message counts."""
    use(story)
    miss(story)
    story.at(24 * 60)
    miss(story)
    first, second = story.top_level
    assert "2 in a row" in first
    assert "2 in a row" in second


def test_rule_about_other_content_is_not_notified(story: Story) -> None:
    """The conditions of the rule are checked for a missed refresh as for a failure."""
    use(story, project="Marketing")
    miss(story)
    assert story.top_level == []
    assert [one.incident.kind for one in story.simulation.inbox.incidents.list()] == ["missed"]


def test_acknowledged_and_silenced_like_failures(story: Story) -> None:
    """An acknowledgement shows in the message, and a late failure closes it: the failure has a message of its own."""
    use(story)
    miss(story)
    story.act("acknowledge")
    (text,) = story.top_level
    assert text.startswith("Acknowledged: Sales")
    story.at(60)
    story.refresh("WorkbookRefreshFailed")
    texts = sorted(story.top_level)
    assert texts[0].startswith("Came late: Sales (workbook)\nCame 1 h 40 min late, and failed")
    assert "failed" in texts[1]


def test_long_and_suspended_messages(story: Story) -> None:
    """A long run and a suspended schedule have their own words, and say what to do."""
    use(story)
    simulation = story.simulation
    home, luid = simulation.running.world.home.luid, content(simulation)
    recorder = Recorder(simulation.inbox, UTC)
    began = story.now - timedelta(hours=3)
    piece = RunEvidence("webhook", home.lower(), luid, "workbook", "running", began, started_at=began)
    (run,) = runs([piece])
    recorder.long(run, timedelta(hours=1), "Sales", usual=timedelta(minutes=20))
    story.work()
    recorder.suspended(ScheduledTask(TASK, luid, "workbook", strikes=5), home, "Sales", story.now)
    story.work()
    long, suspended = story.top_level
    assert long.startswith("Running too long: Sales (workbook)\nIt has been running since ")
    assert suspended.startswith(
        "Suspended by Tableau: Sales (workbook)\nTableau suspended its schedule after 5 failures"
    )
    story.at(60)
    story.refresh(SUCCEEDED)
    long, suspended = story.top_level
    assert long.startswith("Ended: Sales (workbook)\nEnded after 4 h")
    assert suspended.startswith("Resumed: Sales (workbook)\nSchedule resumed after ")
