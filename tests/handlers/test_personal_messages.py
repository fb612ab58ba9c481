"""A person is alerted once by all that fails within minutes, against a simulated Tableau and Slack."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story, story
from webhooks import rules
from webhooks.incidents import Act, IncidentFilter
from webhooks.monitor.alerts import Alert, Alerts
from webhooks.registry import registry

__all__ = ["story"]

pytestmark = pytest.mark.second_stage

# Slack's side of a person: an e-mail address, and the id of a member.
BEN, CHLOE = "slack:ben@acme.example", "slack:U000000003"
SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Timeline:
    """Steps at seconds since the first one, and after them the first lines of the messages with what they list.

    A step is `fail`, `recover`, `acknowledge` or `silence` with the name of a workbook. Every message alerts the person
    once, when it is posted; edits alert no one.
    """

    title: str
    steps: tuple[tuple[int, str], ...]
    shown: tuple[str, ...]
    action: str = f'notify = "{BEN}"'


TWO_RULES = f'''where = {{ name = "A*" }}
notify = "{BEN}"
[[rule]]
name = "Other"
on = "*RefreshFailed"
where = {{ name = ["B*", "C*"] }}
notify = "{BEN}"
'''

TIMELINES = (
    Timeline("second failure after 50 s", ((0, "fail A"), (50, "fail B")), ("Failing: A B",)),
    Timeline("second failure after 4 min", ((0, "fail A"), (240, "fail B")), ("Failing: A B",)),
    Timeline("second failure after 20 min", ((0, "fail A"), (1200, "fail B")), ("Failing: A", "Failing: B")),
    Timeline("each within 5 min", ((0, "fail A"), (200, "fail B"), (400, "fail C")), ("Failing: A B C",)),
    Timeline(
        "twelve at once", tuple((0, f"fail {name}") for name in "ABCDEFGHIJKL"), ("Failing: A B C D E F G H I J K L",)
    ),
    Timeline(
        "the first one recovers meanwhile: what recovered is not read again",
        ((0, "fail A"), (60, "recover A"), (100, "fail B")),
        ("Recovered: A", "Failing: B"),
    ),
    Timeline(
        "one of two recovers: the other one is open, so a third joins",
        ((0, "fail A"), (20, "fail B"), (60, "recover A"), (100, "fail C")),
        ("Failing: A B C",),
    ),
    Timeline(
        "a failure after the acknowledgement is not hidden behind it, and others join that",
        ((0, "fail A"), (60, "acknowledge A"), (100, "fail B"), (130, "fail C")),
        ("Acknowledged: A", "Failing: B C"),
    ),
    Timeline(
        "all that is listed is acknowledged",
        ((0, "fail A"), (20, "fail B"), (60, "acknowledge A"), (60, "acknowledge B"), (100, "fail C")),
        ("Acknowledged: A B", "Failing: C"),
    ),
    Timeline(
        "both recover",
        ((0, "fail A"), (20, "fail B"), (200, "recover A"), (400, "recover B")),
        ("Recovered: A B",),
    ),
    Timeline(
        "a silenced first one has its own message at the end of its silence",
        ((0, "silence A"), (0, "fail A"), (50, "fail B"), (400, "nothing")),
        ("Failing: B", "Failing: A"),
    ),
    Timeline("another rule with the same words", ((0, "fail A"), (50, "fail B")), ("Failing: A B",), TWO_RULES),
    Timeline(
        "another rule with words of its own, which its incidents share",
        ((0, "fail A"), (50, "fail B"), (60, "fail C")),
        ("Failing: A", "Failing: B C"),
        TWO_RULES + 'text = "Call the CFO."',
    ),
    Timeline(
        "another rule that mentions people",
        ((0, "fail A"), (50, "fail B")),
        ("Failing: A", "Failing: B"),
        TWO_RULES + 'mention = "here"',
    ),
    Timeline(
        "an escalation does not join the message of an opening",
        ((0, "fail A"), (30, "fail B"), (60, "fail B"), (80, "fail C")),
        ("Failing: A", "Failing: B"),
        TWO_RULES.removesuffix(f'"{BEN}"\n') + f'{{ to = "{BEN}", failures = 2 }}',
    ),
    Timeline(
        "each = true is a message for each failure",
        ((0, "fail A"), (50, "fail B")),
        ("Workbook refresh failed: A", "Workbook refresh failed: B"),
        f'each = true\nnotify = "{BEN}"',
    ),
    Timeline("a member by id", ((0, "fail A"), (50, "fail B")), ("Failing: A B",), f'notify = "{CHLOE}"'),
    Timeline(
        "a channel waits for the third",
        ((0, "fail A"), (50, "fail B")),
        ("Failing: A", "Failing: B"),
        'notify = "slack:#bi"',
    ),
)


def test_timelines(story: Story) -> None:
    """Failures of a person's content within minutes are one message that alerts once, as these timelines state."""
    for number, timeline in enumerate(TIMELINES):
        play_all(story, number, timeline)


def play_all(story: Story, number: int, timeline: Timeline) -> None:
    before = len(story.simulation.messages)
    start = story.start + timedelta(hours=number)
    story.action = timeline.action
    for seconds, step in timeline.steps:
        story.work(max(0.0, (start + seconds * SECOND - story.now).total_seconds()))
        play(story, number, step)
    story.work(120)
    messages = [one for one in story.simulation.messages[before:] if not one.thread_ts]
    assert tuple(summary(html.unescape(one.text), number) for one in messages) == timeline.shown, timeline.title


def play(story: Story, number: int, step: str) -> None:
    """Carry out a step of the timeline with this number."""
    verb, _, letter = step.partition(" ")
    name, inbox = f"{letter}{number}", story.simulation.inbox
    if verb in {"fail", "recover"}:
        known = {one.name for one in story.simulation.running.world.home.workbooks.values()}
        if name not in known:
            story.simulation.cause("WorkbookCreated", name=name)
        story.refresh(FAILED if verb == "fail" else SUCCEEDED, name=name, run_seconds=1)
    elif verb == "acknowledge":
        (record,) = inbox.incidents.list(IncidentFilter(resources=[name]))
        inbox.incidents.act(record.id, Act("", "acknowledge", "", story.now, "Ann"))
        story.work(1)
    elif verb == "silence":
        matchers, end = {"resource_name": [name]}, story.now + 300 * SECOND
        inbox.silences.add(matchers=matchers, start=story.now, end=end, by="Ann", reason="Test")


def summary(text: str, number: int) -> str:
    """Return the state that the message shows, and the letters of the workbooks that it lists."""
    first, _, rest = text.partition("\n")
    state, _, title = first.partition(": ")
    listed = re.findall(rf"^([A-L]){number} ·", rest, re.MULTILINE) if "refreshes" in title else title[0]
    return f"{state}: {' '.join(sorted(listed))}"


def first_lines(story: Story) -> list[str]:
    """Return the first lines of all messages, and then of all replies."""
    return [text.partition("\n")[0] for text in [*story.top_level, *story.replies]]


def test_message_that_is_gone(story: Story) -> None:
    """If the first message was deleted, the next failure is a new message with all of them."""
    story.action = f'notify = "{BEN}"'
    play(story, 0, "fail A")
    story.simulation.running.world.slack.delete(*story.simulation.messages)
    play(story, 0, "fail B")
    story.work()
    assert first_lines(story) == ["Failing: 2 refreshes"]
    assert all(f"{name}0 ·" in story.top_level[0] for name in "AB")
    assert "The message before this one was deleted." in story.top_level[0]


def test_message_that_cannot_be_edited(story: Story) -> None:
    """If Slack does not allow the edit, a reply lists all incidents."""
    story.action = f'notify = "{BEN}"'
    play(story, 0, "fail A")
    story.simulation.inject(target="slack", kind="error", path="chat.update", code="edit_window_closed")
    play(story, 0, "fail B")
    story.work()
    assert first_lines(story) == ["Failing: A0 (workbook)", "Failing: 2 refreshes"]
    assert all(f"{name}0 ·" in story.replies[0] for name in "AB")
    assert "Slack allows no more changes of the message above, so it shows an earlier state." in story.replies[0]
    play(story, 0, "fail C")
    story.work()
    assert first_lines(story)[2:] == ["Failing: 3 refreshes"]
    assert "C0 ·" in story.replies[1]


def test_killed_between_taking_over_and_editing(story: Story) -> None:
    """If the process dies after the message was handed over to the group, the next attempt edits it."""
    story.action = f'notify = "{BEN}"'
    play(story, 0, "fail A")
    fault = story.simulation.inject(target="slack", kind="error", path="chat.update", code="internal_error")
    play(story, 0, "fail B")
    (record,) = story.simulation.inbox.incidents.list(IncidentFilter(resources=["A0"]))
    (notice,) = record.notices
    assert notice.posted is None
    assert first_lines(story) == ["Failing: A0 (workbook)"]
    story.simulation.running.world.faults.remove(fault)
    story.work(300)
    assert first_lines(story) == ["Failing: 2 refreshes"]


def test_unknown_outcome_of_the_first_message(story: Story) -> None:
    """A second failure waits until it is known whether the first message was posted; then there is one message."""
    story.simulation.inject(target="slack", kind="lost", path="chat.postMessage", seconds=0.1, times=1)
    story.action = f'notify = "{BEN}"'
    play(story, 0, "fail A")
    story.work(20)
    play(story, 0, "fail B")
    story.work(300)
    assert first_lines(story) == ["Failing: 2 refreshes"]


def test_slack_is_unavailable_at_first(story: Story) -> None:
    """All that fails before the first message could be sent is listed in it."""
    fault = story.simulation.inject(target="slack", kind="html", status=503, path="chat.postMessage")
    story.action = f'notify = "{BEN}"'
    for name in "ABC":
        play(story, 0, f"fail {name}")
        story.work(20)
    story.simulation.running.world.faults.remove(fault)
    story.work(300)
    assert first_lines(story) == ["Failing: 3 refreshes"]


def test_reply_about_the_recovery_of_a_message_that_was_taken_over(story: Story) -> None:
    """If all have recovered before the first edit, the thread says so, because the person was alerted before."""
    story.action = f'notify = "{BEN}"'
    play(story, 0, "fail A")
    fault = story.simulation.inject(target="slack", kind="error", path="chat.update", code="internal_error")
    for step in ("fail B", "recover A", "recover B"):
        play(story, 0, step)
    story.simulation.running.world.faults.remove(fault)
    story.work(300)
    assert [text.partition("\n")[0] for text in story.top_level] == ["Recovered: 2 refreshes"]
    assert story.replies[-1].startswith("Recovered: 2 closed")


def test_problem_of_the_server_that_gets_worse(story: Story) -> None:
    """A certificate that expires in a day alerts the person again, though its first alert shares a message."""
    text = f'[[rule]]\nname = "Server"\non = ["WebhooksDrifted", "CertificateExpiring"]\nnotify = "{BEN}"'
    story.rules = rules.parse(text, registry.actions)
    alerts = Alerts(story.simulation.inbox)
    for event_type in ("WebhooksDrifted", "CertificateExpiring"):
        alerts.send(Alert(event_type, event_type, "Expires in 7 days"), story.now)
        story.work(20)
    # The monitor's own alerts are in the default channel as well.
    (shared,) = (one for one in story.simulation.messages if "2 problems" in one.text)
    story.at(60)
    alerts.send(Alert("CertificateExpiring", "CertificateExpiring", "Expires in a day", level=2), story.now)
    story.work(20)
    (reply,) = (one.text for one in story.simulation.messages if one.thread_ts == shared.ts)
    assert "Expires in a day" in reply
