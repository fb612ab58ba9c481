"""Messages about failing refreshes against a simulated Tableau and Slack: one per problem, kept up to date."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from notifiers import NotifierError, Notifiers, TwilioConfig
from tableau_rest import TableauError
from tests.support.simulated_actions import RULE, Simulation
from webhooks import rules
from webhooks.clock import from_timestamp, utc_now
from webhooks.context import call
from webhooks.errors import RetryLater, Skip
from webhooks.event import RECONCILED, Event, build
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.tables import jobs
from webhooks.incidents import Act
from webhooks.job import Job, JobState
from webhooks.planner import Planner
from webhooks.registry import Registry, registry
from webhooks.rules import Rules

MINUTE = timedelta(minutes=1)
EARLIEST = select(func.min(jobs.c.due_at)).where(jobs.c.state == int(JobState.READY))
FAILED, SUCCEEDED = "WorkbookRefreshFailed", "WorkbookRefreshSucceeded"


@dataclass
class Story:
    """Events and acts in the order of their times, and the jobs that they lead to, on a clock of its own."""

    simulation: Simulation
    action: str = 'notify = "slack:#bi"'
    # Other rules than those of `action`, and other parts of the context.
    rules: Rules | None = None
    given: dict[str, Any] = field(default_factory=dict)
    # The errors that let jobs wait, with the handlers of these.
    waits: list[tuple[str, Exception]] = field(default_factory=list)
    now: datetime = field(default_factory=lambda: utc_now().replace(microsecond=0) - timedelta(days=1))

    def at(self, minutes: float) -> None:
        """Move the clock to that time since the beginning, and let the incidents that are due by then wake up."""
        self.now = self.start + minutes * MINUTE

    def __post_init__(self) -> None:
        self.start = self.now

    def seconds(self) -> float:
        """Return the time in seconds since 1970."""
        return self.now.timestamp()

    def refresh(
        self, event_type: str, *, name: str = "Sales", reason: str = "Disk full", run_seconds: float = 120
    ) -> Event:
        """Cause a refresh that ends now, and run all jobs that are due in the next `run_seconds`."""
        caused = self.simulation.cause(event_type, name=name, reason=reason)
        event = self.simulation.event(**{**caused.payload, "created_at": f"{self.now:%Y-%m-%dT%H:%M:%SZ}", "text": ""})
        for job in self.simulation.running.world.home.jobs.values():
            if job.completed_at and abs(job.completed_at - utc_now()) < 10 * MINUTE:
                job.completed_at = job.started_at = job.created_at = self.now
        self.simulation.inbox.events.receive(event)
        self.work(run_seconds)
        return event

    def act(self, kind: Any, *, until: datetime | None = None) -> None:
        """Acknowledge, snooze or close the newest incident now, and run all jobs."""
        record = self.simulation.inbox.incidents.list()[0]
        self.simulation.inbox.incidents.act(record.id, Act("", kind, "", self.now, "Ann", until))
        self.work()

    def work(self, seconds: float = 120) -> None:
        """Plan all events and run all jobs that are due in the next `seconds`."""
        inbox = self.simulation.inbox
        parsed = self.rules or rules.parse(RULE.format(event_type=FAILED) + self.action, registry.actions)
        end = self.now + timedelta(seconds=seconds)
        while self.now <= end:
            inbox.incidents.wake()
            while inbox.events.plan(Planner(parsed, Registry()).jobs):
                pass
            claimed = inbox.jobs.claim("tests", 20, 3600)
            for job in claimed:
                self.run(job)
            if not claimed:
                due_at = inbox.store.scalar(EARLIEST)
                self.now = end + MINUTE if due_at is None else from_timestamp(max(due_at, self.seconds() + 1))
        # What is due later stays.
        self.now = min(self.now, end)

    def run(self, job: Job) -> None:
        try:
            call(registry.handler(job.handler), self.simulation.context(job, clock=lambda: self.now, **self.given))
        except (RetryLater, NotifierError, TableauError) as error:
            self.waits.append((job.handler, error))
            if getattr(error, "permanent", False):
                self.simulation.inbox.dead_letters.dead_letter(job, str(error))
                return
            wait = (error.retry_at or self.now + timedelta(seconds=1)) - self.now
            self.simulation.inbox.jobs.postpone(job, wait.total_seconds(), str(error))
        except Skip as error:
            self.simulation.inbox.jobs.skip(job, str(error))
        else:
            self.simulation.inbox.jobs.finish(job)

    @property
    def top_level(self) -> list[str]:
        """The texts of the messages that are not replies, as they are shown now."""
        return [html.unescape(one.text) for one in self.simulation.messages if not one.thread_ts]

    @property
    def replies(self) -> list[str]:
        return [html.unescape(one.text) for one in self.simulation.messages if one.thread_ts]


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[Story]:
    told = Story(simulation)
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    yield told
    simulation.inbox.close()


def test_seventeen_failures_are_one_message(story: Story) -> None:
    """Failures in a row change one message; the destination is not written to again."""
    for number in range(17):
        story.at(60 * number)
        story.refresh(FAILED)
    (text,) = story.top_level
    assert "Failures: 17 in a row" in text


def test_recovery_edits_the_message_and_replies(story: Story) -> None:
    """After the success the same message says recovered, for how long it failed, and what cured it."""
    story.refresh(FAILED)
    story.at(134)
    story.refresh(SUCCEEDED)
    (text,) = story.top_level
    assert text.startswith("Recovered: Sales (workbook)\nDisk full\n")
    assert "Duration: 2 h 14 min" in text
    assert any("Recovered after 2 h 14 min" in reply for reply in story.replies)


def test_failure_after_the_recovery_is_a_new_message(story: Story) -> None:
    """A problem that comes back hours later has a message of its own."""
    story.refresh(FAILED)
    story.at(60)
    story.refresh(SUCCEEDED)
    story.at(600)
    story.refresh(FAILED)
    assert [text.partition(":")[0] for text in story.top_level] == ["Recovered", "Failing"]


def test_acknowledgement_is_shown(story: Story) -> None:
    """The message names who acknowledged, and its thread has the act."""
    story.refresh(FAILED)
    story.at(5)
    story.act("acknowledge")
    (text,) = story.top_level
    assert text.startswith("Acknowledged: Sales (workbook)")
    assert "Acknowledged by: Ann" in text
    assert any("Ann" in reply for reply in story.replies)


def test_notes_are_shown(story: Story) -> None:
    """A note is a reply in the thread, and the message shows the last one within a second, also right after an edit."""
    story.refresh(FAILED)
    story.at(60)
    story.refresh(FAILED, run_seconds=2)
    (record,) = story.simulation.inbox.incidents.list()
    for text in ("The disk is full.", "A larger one is ordered."):
        story.simulation.inbox.incidents.act(record.id, Act("", "note", "", story.now, "Ann", text=text))
        story.work(1)
    assert "Note: Ann: A larger one is ordered." in story.top_level[0]
    story.work()
    notes = [reply for reply in story.replies if "Note" in reply]
    assert notes == ["Sales: Note by Ann: The disk is full.", "Sales: Note by Ann: A larger one is ordered."]
    assert story.top_level[0].startswith("Failing: Sales (workbook)")


def test_two_workbooks_have_a_message_each(story: Story) -> None:
    """Problems of different content are different messages."""
    story.refresh(FAILED, name="Sales")
    story.refresh(FAILED, name="Cash Flow")
    assert len(story.top_level) == 2


def test_second_destination_from_the_second_failure(story: Story) -> None:
    """`failures = 2` keeps a destination quiet until the refresh has failed twice in a row."""
    story.action = 'notify = ["slack:#bi", { to = "slack:#finance-data", failures = 2 }]'
    story.refresh(FAILED)
    assert channels(story) == ["bi"]
    story.at(60)
    story.refresh(FAILED)
    assert channels(story) == ["bi", "finance-data"]


def test_escalation_that_was_not_sent_before_the_recovery_is_not_sent(story: Story) -> None:
    """If the server was down when it became due, its recovery alerts no one."""
    story.action = 'notify = ["slack:#bi", { to = "slack:#finance-data", after = "30m" }]'
    story.refresh(FAILED)
    story.at(60)
    story.refresh(SUCCEEDED)
    assert channels(story) == ["bi"]


def test_first_message_needs_no_replies_about_what_it_shows(story: Story) -> None:
    """A destination that is notified later gets the message as it is, without the history as replies."""
    story.action = 'notify = { to = "slack:#bi", failures = 2 }'
    story.refresh(FAILED)
    story.at(10)
    story.act("snooze", until=story.now + 20 * MINUTE)
    story.at(60)
    story.refresh(FAILED)
    assert len(story.top_level) == 1
    assert story.replies == []


def test_message_of_unknown_outcome_is_found_after_the_incident_has_changed(story: Story) -> None:
    """If Slack's response is lost and the refresh fails again before the retry, there is still one message."""
    story.simulation.inject(target="slack", kind="lost", path="chat.postMessage", seconds=0.1, times=1)
    story.refresh(FAILED, run_seconds=0)
    story.at(10 / 60)
    story.refresh(FAILED)
    (text,) = story.top_level
    assert "Failures: 2 in a row" in text


def test_channel_that_does_not_exist_is_one_dead_letter_per_failure(story: Story) -> None:
    """The job that would bring the message up to date does not report again what the job of the rule reports."""
    story.action = 'notify = "slack:#nowhere"'
    for number in range(3):
        story.at(60 * number)
        story.refresh(FAILED)
    jobs = [record.job for event in story.simulation.inbox.events.list() for record in event.jobs]
    assert sorted((job.handler, job.state.word) for job in jobs) == [
        *[("notice", "skipped")] * 2,
        *[("notify", "dead")] * 3,
    ]


def test_each_failure_as_before(story: Story) -> None:
    """`each = true` sends a message for each failure, and none about the recovery."""
    story.action = 'each = true\nnotify = "slack:#bi"'
    for minutes in (0, 60, 120):
        story.at(minutes)
        story.refresh(FAILED)
    story.at(180)
    story.refresh(SUCCEEDED)
    assert [text.partition("\n")[0] for text in story.top_level] == ["Workbook refresh failed: Sales"] * 3


def test_deleted_message_is_posted_again(story: Story) -> None:
    """If someone has deleted the message, the next change posts a new one instead of failing."""
    story.refresh(FAILED)
    (message,) = story.simulation.messages
    story.simulation.running.world.slack.delete(message)
    story.at(60)
    story.refresh(FAILED)
    (text,) = story.top_level
    assert "Failures: 2 in a row" in text
    assert "The message before this one was deleted." in text


def test_second_rule_with_the_same_destination_sends_nothing_more(story: Story) -> None:
    """Two rules that name one channel lead to one message."""
    story.action = 'notify = "slack:#bi"\n[[rule]]\nname = "Other"\non = "*RefreshFailed"\nnotify = "slack:#bi"'
    story.refresh(FAILED)
    assert len(story.top_level) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('"slack:#bi"', '"default"'),
        ('"slack"', '"slack:#bi"'),
        ('{ to = "default", failures = 3 }', '"slack:#bi"'),
        ('{ to = "slack:#bi", after = "4h" }', '"default"'),
    ],
)
def test_two_rules_with_one_channel(story: Story, first: str, second: str) -> None:
    """A channel that two rules name, in whatever way, has one message, sent as soon as one of them wants it."""
    story.action = f'notify = {first}\n[[rule]]\nname = "Other"\non = "*RefreshFailed"\nnotify = {second}'
    story.refresh(FAILED)
    assert len(story.top_level) == 1
    story.at(60)
    story.refresh(FAILED)
    assert "Failures: 2 in a row" in story.top_level[0]


def test_lost_response_to_a_reply(story: Story) -> None:
    """A reply whose response is lost is not repeated, and delays no other part."""
    story.refresh(FAILED)
    story.at(60)
    story.simulation.inject(target="slack", kind="lost", path="chat.postMessage", seconds=0.1, times=1)
    story.refresh(SUCCEEDED)
    assert story.top_level[0].startswith("Recovered")
    assert len([reply for reply in story.replies if "Recovered" in reply]) == 1


def test_first_message_about_an_acknowledged_incident_has_no_old_replies(story: Story) -> None:
    """The thread of the first message does not repeat what the message shows already."""
    story.simulation.inject(target="slack", kind="html", status=503, path="chat.postMessage", times=3)
    story.refresh(FAILED, run_seconds=0)
    story.act("acknowledge")
    (text,) = story.top_level
    assert text.startswith("Acknowledged")
    assert story.replies == []


@pytest.mark.second_stage
def test_message_during_an_outage_of_tableau(story: Story) -> None:
    """If Tableau does not respond, the message is sent at once; owner, project and reason follow by an edit."""
    fault = story.simulation.inject(kind="html", status=503)
    story.refresh(FAILED, run_seconds=1)
    (text,) = story.top_level
    assert text.startswith("Failing: Sales (workbook)\nSince: ")
    story.simulation.running.world.faults.remove(fault)
    story.work()
    (text,) = story.top_level
    assert "Disk full" in text
    assert "Project: Finance" in text
    assert story.replies == []


def test_text_messages_at_both_ends_only(story: Story) -> None:
    """A message that costs money is sent when it opens and when it closes; further failures send nothing."""
    config, url = story.simulation.running.world.config, story.simulation.running.url
    account = (config.twilio_account_sid, config.twilio_auth_token, config.twilio_from)
    story.given = {"notifiers": Notifiers(twilio=TwilioConfig(*account, "", api_url=f"{url}/twilio"))}
    story.action = 'notify = "twilio:+15550100"'
    for minutes, event_type in ((0, FAILED), (60, FAILED), (120, FAILED), (180, SUCCEEDED)):
        story.at(minutes)
        story.refresh(event_type)
    texts = [sms.body for sms in story.simulation.running.world.twilio.messages]
    assert [text.partition("\n")[0] for text in texts] == [
        "Failing: Sales (workbook)",
        "Recovered: Sales (workbook)",
    ]
    assert "Failures: 3" in texts[1]


def test_flapping_sends_few_text_messages(story: Story) -> None:
    """The first recovery and the first failure after it are sent; then one once it has been well for long."""
    config, url = story.simulation.running.world.config, story.simulation.running.url
    account = (config.twilio_account_sid, config.twilio_auth_token, config.twilio_from)
    story.given = {"notifiers": Notifiers(twilio=TwilioConfig(*account, "", api_url=f"{url}/twilio"))}
    story.action = 'notify = "twilio:+15550100"'
    for flap in range(5):
        for minutes, event_type in ((0, FAILED), (10, SUCCEEDED)):
            story.at(20 * flap + minutes)
            story.refresh(event_type)
    texts = [sms.body for sms in story.simulation.running.world.twilio.messages]
    sent = [text.partition("\n")[0] for text in texts]
    assert sent == ["Failing: Sales (workbook)", "Recovered: Sales (workbook)", "Sales: Failing again"]
    story.at(90 + 29)
    story.work(30)
    assert len(story.simulation.running.world.twilio.messages) == 3
    story.at(90 + 31)
    story.work()
    (*_, last) = story.simulation.running.world.twilio.messages
    assert len(story.simulation.running.world.twilio.messages) == 4
    assert last.body.startswith("Recovered: Sales (workbook)\n")
    assert "Failures: 5" in last.body


def test_failure_that_arrives_after_its_recovery_is_not_posted(story: Story) -> None:
    """Nothing is posted about an incident that is over; it is stored, and a later failure has a message."""
    story.at(60)
    recovery = story.refresh(SUCCEEDED)
    created_at = f"{story.start:%Y-%m-%dT%H:%M:%SZ}"
    late = story.simulation.event(**{**recovery.payload, "event_type": FAILED, "created_at": created_at})
    story.simulation.inbox.events.receive(late)
    story.work()
    assert story.top_level == []
    (record,) = story.simulation.inbox.incidents.list()
    assert (record.incident.state, record.incident.failures) == ("closed", 1)
    story.at(240)
    story.refresh(FAILED)
    assert [text.partition("\n")[0] for text in story.top_level] == ["Failing: Sales (workbook)"]


@pytest.mark.parametrize("was_posted", [True, False])
def test_recovery_after_an_unknown_outcome(story: Story, *, was_posted: bool) -> None:
    """A first message that Slack may have is looked up: if it is there, it is edited, and if not, nothing is posted."""
    kind = "lost" if was_posted else "refuse"
    story.simulation.inject(target="slack", kind=kind, path="chat.postMessage", seconds=0.1, times=1)
    story.refresh(FAILED, run_seconds=5)
    story.at(1)
    story.refresh(SUCCEEDED, run_seconds=600)
    assert [text.partition("\n")[0] for text in story.top_level] == ["Recovered: Sales (workbook)"] * was_posted


def test_replayed_event_changes_nothing(story: Story) -> None:
    """A replay of an event does not send the message again, and counts no second failure."""
    story.refresh(FAILED)
    story.simulation.inbox.events.replay([1])
    story.work()
    (text,) = story.top_level
    assert "Failures: 1" in text


def test_workspace_without_edits(story: Story) -> None:
    """If Slack refuses edits, the thread has the reason, acts and the recovery once each, and no counts."""
    story.simulation.inject(target="slack", kind="error", path="chat.update", code="edit_window_closed")
    for minutes in (0, 60, 120, 180):
        story.at(minutes)
        story.refresh(FAILED)
    story.act("acknowledge")
    story.at(300)
    story.refresh(SUCCEEDED)
    assert len(story.top_level) == 1
    reason, acknowledged, recovered = story.replies
    assert "Disk full" in reason
    assert "Slack allows no more changes of the message above, so it shows an earlier state." in reason
    assert acknowledged == "Sales: Acknowledged by Ann"
    assert recovered == "Sales: Recovered after 5 h. The next run succeeded."


def test_edits_that_are_refused_after_a_while(story: Story) -> None:
    """From the first refused edit on the message is out of date: one reply says so and has the state."""
    story.refresh(FAILED)
    story.simulation.inject(target="slack", kind="error", path="chat.update", code="edit_window_closed")
    for minutes in (60, 120):
        story.at(minutes)
        story.refresh(FAILED)
    (text,), (reply,) = story.top_level, story.replies
    assert "Failures: 1" in text
    assert "Failures: 2 in a row" in reply
    assert "Slack allows no more changes of the message above" in reply


def test_failing_again_where_messages_cannot_be_edited(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure soon after the recovery is reported there as well, and the second recovery half an hour after it."""
    story.given = {"notifiers": Notifiers()}
    story.action = 'notify = "console"'
    for minutes, event_type in ((0, FAILED), (60, SUCCEEDED), (70, FAILED), (75, SUCCEEDED)):
        story.at(minutes)
        story.refresh(event_type, run_seconds=60)
    story.at(110)
    story.work()
    titles = re.findall(r"(?m)^\S \d\d:\d\d:\d\d (.*)", capsys.readouterr().out)
    assert titles == [
        "Failing: Sales (workbook)",
        "Recovered: Sales (workbook)",
        "Sales: Failing again",
        "Recovered: Sales (workbook)",
    ]


def channels(story: Story) -> list[str]:
    """Return the channels of the messages, in their order."""
    names: Mapping[str, str] = {one.id: one.name for one in story.simulation.running.world.slack.channels.values()}
    return [names.get(one.channel, one.channel).lstrip("#") for one in story.simulation.messages if not one.thread_ts]


def test_flow_has_one_message_with_the_recorded_reason(story: Story) -> None:
    """A flow that fails twice has one message with the reason that the monitor recorded; its success edits it."""
    story.action = 'notify = "slack:#bi"\n[[rule]]\nname = "Flows"\non = "FlowRunFailed"\nnotify = "slack:#bi"'
    flow = next(iter(story.simulation.running.world.home.flows.values()))

    def run(event_type: str, job_luid: str, **fields: str) -> None:
        event = build(
            event_type,
            origin=RECONCILED,
            resource="FLOW",
            resource_luid=flow.luid,
            resource_name=flow.name,
            site_luid=story.simulation.running.world.home.luid,
            created_at=f"{story.now:%Y-%m-%dT%H:%M:%SZ}",
            job_luid=job_luid,
            **fields,
        )
        story.simulation.inbox.synthetic_events.add(event, RECONCILED, story.now)
        story.work()

    run("FlowRunFailed", "j1", reason="Disk full")
    story.at(60)
    run("FlowRunFailed", "j2", reason="Login failed")
    (text,) = story.top_level
    assert text.startswith(f"Failing: {flow.name} (flow)\nLogin failed")
    assert "Failures: 2 in a row" in text
    story.at(120)
    run("FlowRunSucceeded", "j3")
    (text,) = story.top_level
    assert text.startswith(f"Recovered: {flow.name} (flow)")


def test_message_says_that_the_content_was_deleted(story: Story) -> None:
    """Deleted content closes its incident; the message says so, and no one is alerted again."""
    story.refresh(FAILED)
    story.at(30)
    story.refresh("WorkbookDeleted")
    (text,) = story.top_level
    assert text.startswith("Closed: Sales (workbook)")
    assert "Closed because: the content was deleted" in text


def test_second_message_of_one_problem_points_to_the_first(story: Story) -> None:
    """If a late failure shows that two incidents are one, one message is kept up to date and the other leads to it."""
    story.refresh(FAILED)
    story.at(10)
    story.refresh(SUCCEEDED)
    story.at(45)
    story.refresh(FAILED)
    assert [text.partition("\n")[0] for text in story.top_level] == [
        "Recovered: Sales (workbook)",
        "Failing: Sales (workbook)",
    ]
    late = story.simulation.cause(FAILED, name="Sales", reason="Disk full").payload
    at = story.start + 35 * MINUTE
    story.simulation.inbox.events.receive(
        story.simulation.event(**{**late, "created_at": f"{at:%Y-%m-%dT%H:%M:%SZ}", "text": ""})
    )
    story.work()
    kept, other = story.top_level
    assert kept.startswith("Failing: Sales (workbook)")
    assert other.startswith("Continued: Sales")
    assert "one problem with another one" in other
    assert "Open that message" in other
    assert len(story.simulation.inbox.incidents.list()) == 1
    story.at(60)
    story.refresh(SUCCEEDED)
    assert story.top_level[0].startswith("Recovered: Sales (workbook)")
    assert story.top_level[1] == other
