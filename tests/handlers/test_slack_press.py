"""Presses of buttons in messages about incidents: what changes, and what the person sees."""

from __future__ import annotations

import html
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from notifiers import Button
from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from tests.support.simulated_actions import Simulation
from webhooks.context import Context
from webhooks.inbox import Inbox
from webhooks.inbox.jobs.tables import jobs
from webhooks.job import Job
from webhooks.messages.incident_buttons import (
    ACKNOWLEDGE,
    REFRESH,
    SNOOZE,
    SNOOZE_UNTIL,
    WHY,
    ButtonTarget,
    act_of_button,
    incident_actions,
)
from webhooks.rules.access import Access

OPERATORS = Access(operators=("ann@acme.example", "*@ops.example"))


class Presses(Story):
    """A story in which people press the buttons of the message."""

    def buttons(self) -> dict[str, str]:
        """Return the action ids and values of the message's buttons and of the entries of its menu."""
        (message,) = [one for one in self.simulation.messages if not one.thread_ts and not one.ephemeral_for]
        blocks: list[Any] = [block for block in message.blocks if block["type"] == "actions"]
        found = {}
        for element in (one for block in blocks for one in block["elements"]):
            if element["type"] == "overflow":
                found |= dict(one["value"].split(" ", 1) for one in element["options"] if "url" not in one)
            elif "action_id" in element:
                found[element["action_id"]] = element["value"]
        return found

    def press(self, action: str, *, email: str = "ann@acme.example", value: str = "", member: bool = True) -> str:
        """Press a button, run all jobs, and return what only the person sees; empty if there is nothing."""
        person = next(one for one in self.simulation.running.world.slack.members if one.email == email)
        (message,) = [one for one in self.simulation.messages if not one.thread_ts and not one.ephemeral_for]
        target = ButtonTarget.parse(value or self.buttons()[action])
        assert target
        params = {
            "incident": target.number,
            "action": action,
            "user": person.id,
            "user_name": person.name,
            "is_member": member,
            "channel": message.channel,
            "message": message.ts,
        }
        act = act_of_button(action, target, person.name, self.now) if member else None
        before = len(self.simulation.messages)
        self.simulation.inbox.presses.record(secrets.token_hex(8), target.number, target.incident, params, act)
        self.work()
        shown = [one for one in self.simulation.messages[before:] if one.ephemeral_for]
        assert all(one.ephemeral_for == person.id for one in shown)
        return "\n".join(html.unescape(one.text) for one in shown)

    @property
    def incident(self) -> Any:
        return self.simulation.inbox.incidents.get(1).incident


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[Presses]:
    simulation.signing_secret = "secret"
    told = Presses(simulation)
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    yield told
    simulation.inbox.close()


@pytest.fixture
def with_operators(story: Presses, monkeypatch: pytest.MonkeyPatch) -> Presses:
    """Return the story with rules that name operators."""
    make: Callable[..., Context] = story.simulation.context

    def context(job: Job, **given: Any) -> Context:
        return make(job, **given, access=lambda: OPERATORS)

    monkeypatch.setattr(story.simulation, "context", context)
    return story


def test_acknowledge_changes_the_message(story: Presses) -> None:
    """The message names the person with their address, its thread has the act once, and the button is gone."""
    story.refresh(FAILED)
    assert set(story.buttons()) == {ACKNOWLEDGE, SNOOZE, SNOOZE_UNTIL, WHY}
    story.at(1)
    assert story.press(ACKNOWLEDGE) == ""
    (text,) = story.top_level
    assert text.startswith("Acknowledged: Sales (workbook)")
    assert "Acknowledged by: Ann Okafor (ann@acme.example)" in text
    assert sum("Acknowledged by" in reply for reply in story.replies) == 1
    assert set(story.buttons()) == {WHY}


def test_snooze_for_an_hour(story: Presses) -> None:
    """The incident is snoozed by that person, can still be acknowledged, and comes back by itself."""
    story.refresh(FAILED)
    story.at(1)
    story.press(SNOOZE, email="ben@acme.example")
    assert story.incident.state == "snoozed"
    assert story.incident.quiet_until - story.incident.acts[0].at >= timedelta(minutes=59)
    assert set(story.buttons()) == {ACKNOWLEDGE, WHY}
    story.at(90)
    story.work()
    assert story.incident.state == "open"
    assert ACKNOWLEDGE in story.buttons()


def test_second_act_of_a_person_is_one_edit(story: Presses) -> None:
    """The name is stored with the first press; the next act has it at once, so that one edit shows it."""
    story.refresh(FAILED)
    for minute, action in [(1, SNOOZE), (2, ACKNOWLEDGE)]:
        story.at(minute)
        story.press(action)
    assert [act.by for act in story.incident.acts] == ["Ann Okafor (ann@acme.example)"] * 2
    corrected = select(func.count()).select_from(jobs).where(jobs.c.key.like("notice % author"))
    assert story.simulation.inbox.store.scalar(corrected) == 1


def test_press_that_is_out_of_date_is_answered(story: Presses) -> None:
    """The second person learns who was first; after the recovery a press says so; a foreign incident is not found."""
    story.refresh(FAILED)
    story.at(1)
    value = story.buttons()[ACKNOWLEDGE]
    story.press(ACKNOWLEDGE)
    assert "acknowledged already, by Ann Okafor" in story.press(ACKNOWLEDGE, email="ben@acme.example", value=value)
    story.at(60)
    story.refresh(SUCCEEDED)
    story.at(61)
    assert "Nothing was changed: Recovered after 1 h" in story.press(ACKNOWLEDGE, value=value)
    assert "another server sent the message" in story.press(ACKNOWLEDGE, value="1 abc")
    assert "no longer stored" in story.press(ACKNOWLEDGE, value="99 abc")
    assert len(story.incident.acts) == 1


def test_foreign_person_is_answered(story: Presses) -> None:
    """A person of another organization in a shared channel gets an answer and changes nothing."""
    story.refresh(FAILED)
    assert "Only members" in story.press(ACKNOWLEDGE, member=False)
    assert story.incident.state == "open"


def test_refresh_by_an_operator(with_operators: Presses) -> None:
    """An operator's press starts the refresh in Tableau once; the act has the job's LUID and the message shows it."""
    story = with_operators
    story.refresh(FAILED)
    story.at(1)
    assert REFRESH in story.buttons()
    assert "The refresh was started" in story.press(REFRESH)
    (act,) = story.incident.acts
    jobs = story.simulation.running.world.home.jobs
    assert (act.kind, act.by, act.job_luid in jobs) == ("refresh", "Ann Okafor (ann@acme.example)", True)
    assert "Refresh by: Ann Okafor" in story.top_level[0]


def test_refresh_is_recorded_at_the_time_of_the_press(with_operators: Presses) -> None:
    """If Tableau starts the refresh later, because it did not respond, the act has the time of the press."""
    story = with_operators
    story.refresh(FAILED)
    story.at(1)
    pressed_at = story.now
    story.simulation.inject(kind="html", status=503, path="refresh", times=1)
    story.press(REFRESH)
    (act,) = story.incident.acts
    assert (act.kind, act.at) == ("refresh", pressed_at)


def test_refresh_by_others_is_refused(with_operators: Presses) -> None:
    """A person who is no operator gets this answer; nothing is started."""
    story = with_operators
    story.refresh(FAILED)
    before = len(story.simulation.running.world.home.jobs)
    assert "ben@acme.example may not start refreshes" in story.press(REFRESH, email="ben@acme.example")
    assert len(story.simulation.running.world.home.jobs) == before
    assert story.incident.acts == ()


def test_nobody_may_refresh_without_operators(story: Presses) -> None:
    """Without [access] no message has the button, and a press of an old one starts nothing."""
    story.refresh(FAILED)
    assert REFRESH not in story.buttons()
    value = story.buttons()[ACKNOWLEDGE]
    assert "the rules name no operators" in story.press(REFRESH, value=value)
    assert story.incident.acts == ()


def test_refresh_without_the_scope_for_addresses_is_refused(with_operators: Presses) -> None:
    """If Slack does not say who pressed, that person is no operator; they can still acknowledge."""
    story = with_operators
    story.refresh(FAILED)
    story.simulation.running.world.set({"slack_scopes": "chat:write"})
    assert "which e-mail address" in story.press(REFRESH)
    story.press(ACKNOWLEDGE)
    assert (story.incident.state, story.incident.quiet_by) == ("acknowledged", "ann")


def test_refresh_that_cannot_be_started_is_answered(with_operators: Presses) -> None:
    """Without a credential, while one runs, and for content that is gone, answer and audit log have the reason."""
    story = with_operators
    story.refresh(FAILED)
    value = story.buttons()[REFRESH]
    settings = story.simulation.settings
    story.simulation.settings = settings.model_copy(update={"tableau_pat_name": ""})
    assert "could not be started: TABLEAU_AUTH=pat needs TABLEAU_PAT_NAME" in story.press(REFRESH)
    story.simulation.settings = settings
    story.simulation.running.world.set({"refresh_seconds": 600.0})
    assert "was started" in story.press(REFRESH)
    assert "running already" in story.press(REFRESH)
    story.simulation.inject(kind="error", status=404, code="404006", times=1)
    assert "no longer exists" in story.press(REFRESH, value=value)
    rows = story.simulation.inbox.audit.list(subject="incident 1")
    refused = [row for row in rows if row.details.startswith("not started: ")]
    assert len(refused) == 3
    assert (refused[0].act, refused[0].by, refused[0].origin) == ("refresh", "Ann Okafor (ann@acme.example)", "Slack")
    assert refused[0].details == "not started: this workbook no longer exists"
    assert [act.kind for act in story.incident.acts] == ["refresh"]


def test_why_explains(story: Presses) -> None:
    """The explanation names the rule, the destination, the time, and who is notified later."""
    story.action = 'notify = ["slack:#bi", { to = "slack:#finance-data", after = "30m" }]\nrepeat = "4h"'
    story.refresh(FAILED)
    words = story.press(WHY)
    assert "The rule “R” notifies slack:#bi of refreshes that fail." in words
    assert "A reminder follows every 4 h" in words
    assert "slack:#finance-data is notified if it is not acknowledged within 30 min." in words
    assert "Notified: " in words
    assert story.incident.acts == ()


def test_buttons_need_the_secret(story: Presses) -> None:
    """Without SLACK_SIGNING_SECRET presses could not be verified, so messages have no buttons."""
    story.simulation.signing_secret = ""
    story.refresh(FAILED)
    assert story.buttons() == {}


def test_snooze_until_the_next_run(story: Presses) -> None:
    """The button is there if the next run is known; its press is refused once that time has passed."""
    story.refresh(FAILED)
    run = story.now + timedelta(hours=3)
    offered = incident_actions(story.incident, 1, story.now, next_run_at=run).menu
    value = next(one.value for one in offered if isinstance(one, Button) and one.action_id == SNOOZE_UNTIL)
    late = incident_actions(story.incident, 1, run, next_run_at=run).menu
    assert SNOOZE_UNTIL not in [one.action_id for one in late if isinstance(one, Button)]
    story.at(240)
    assert "is over" in story.press(SNOOZE_UNTIL, value=value)
    story.now = run - timedelta(hours=1)
    story.press(SNOOZE_UNTIL, value=value)
    assert story.incident.quiet_until == run.replace(microsecond=0)


def test_menu_opens_the_page(story: Presses) -> None:
    """With PUBLIC_URL, the menu also leads to the incident's page; Tableau stays one press away."""
    settings = story.simulation.settings.model_copy(
        update={"public_url": "https://hooks.example.org", "admin_password": SecretStr("a-password-of-the-test")}
    )
    story.simulation.settings = settings
    story.refresh(FAILED)
    (message,) = [one for one in story.simulation.messages if not one.thread_ts]
    (block,) = [one for one in message.blocks if one["type"] == "actions"]
    acknowledge, tableau, menu = cast("list[dict[str, Any]]", block["elements"])
    assert (acknowledge["action_id"], tableau["text"]["text"], menu["type"]) == (
        ACKNOWLEDGE,
        "Open in Tableau",
        "overflow",
    )
    texts = [option["text"]["text"] for option in menu["options"]]
    assert texts == ["Snooze 1 h", "Snooze until the next run", "Open incident", "Why?"]
    assert menu["options"][2]["url"] == "https://hooks.example.org/incidents/1"
