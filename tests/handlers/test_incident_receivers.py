"""The messages that Teams, e-mail, PagerDuty and programs get about one incident, without edits and threads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from notifiers import Notifiers
from notifiers.pagerduty.reports import parse_report
from simulator.receivers.mail import mail_server
from simulator.receivers.pagerduty_webhook import webhook
from tests.handlers.test_incident_notices import FAILED, SUCCEEDED, Story
from tests.handlers.test_notice_groups import storm
from tests.support.simulated_actions import Simulation
from webhooks.inbox import GroupRecord, Inbox
from webhooks.inbox.notices.groups import NoticeGroups
from webhooks.incidents import Act, IncidentFilter

Make = Callable[..., Story]


@pytest.fixture
def notifiers(simulation: Simulation) -> Iterator[Notifiers]:
    world = simulation.running.world
    with mail_server(world) as port:
        mail = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(port),
            "SMTP_SECURITY": "none",
            "SMTP_FROM": "bi@example.org",
        }
        yield Notifiers.from_variables(world.config.receiver_variables(simulation.running.url) | mail)


def taken(simulation: Simulation, kind: str) -> list[Any]:
    return list(simulation.running.world.taking.of(kind))


@pytest.fixture
def make_story(simulation: Simulation, tmp_path: Path) -> Iterator[Callable[..., Story]]:
    """Create a story whose inbox has the clock of the story."""
    opened: list[Inbox] = []

    def make(action: str, **given: Any) -> Story:
        story = Story(simulation, action, given=given)
        opened.append(Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=story.seconds))
        simulation.inbox = opened[-1]
        return story

    yield make
    for inbox in opened:
        inbox.close()


def test_each_service_gets_what_it_can_show(simulation: Simulation, notifiers: Notifiers, make_story: Make) -> None:
    """Teams and mail get one message at each end, PagerDuty an alert in the incident's state, a program each state."""
    destinations = '["teams:bi", "email:ann@example.org", "pagerduty:data", "post:ops"]'
    story = make_story(f"notify = {destinations}", notifiers=notifiers)
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(FAILED, name="Sales")
    story.at(70)
    story.act("acknowledge")
    story.at(120)
    story.refresh(SUCCEEDED, name="Sales")
    for kind in ("teams", "email"):
        first, last = taken(simulation, kind)
        assert "Failing: Sales" in first.title + first.text
        assert "Recovered: Sales" in last.title + last.text
    opened, closed = (mail.data["headers"] for mail in taken(simulation, "email"))
    assert (opened["Subject"], closed["Subject"]) == ("Failing: Sales", "Re: Failing: Sales")
    assert opened["References"] == closed["References"]
    (alert,) = simulation.running.world.taking.alerts
    assert (alert.status, alert.severity) == ("resolved", "critical")
    assert [word for before, word in zip(["", *alert.log], alert.log, strict=False) if word != before] == [
        "trigger",
        "acknowledge",
        "resolve",
    ]
    requests = [request.data for request in taken(simulation, "post")]
    states = [request["type"] for request in requests]
    assert [state for before, state in zip(["", *states], states, strict=False) if state != before] == [
        "incident.open",
        "incident.acknowledged",
        "incident.closed",
    ]
    assert len({request["data"]["incident"]["key"] for request in requests}) == 1


def test_mail_that_some_recipients_have_is_not_repeated(
    simulation: Simulation, notifiers: Notifiers, make_story: Make
) -> None:
    """The job is dead-lettered with the names of the others; the end of the incident is sent to all again."""
    action = 'notify = "email:ann@example.org,refused@example.org"'
    story = make_story(action, notifiers=notifiers)
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(FAILED, name="Sales")
    assert [mail.place for mail in taken(simulation, "email")] == ["ann@example.org"]
    dead = simulation.inbox.dead_letters.unannounced()
    assert len(dead) == 1
    assert "refused@example.org: 550" in str(dead[0].job.error)
    story.at(120)
    story.refresh(SUCCEEDED, name="Sales")
    assert [mail.data["headers"]["Subject"] for mail in taken(simulation, "email")] == [
        "Failing: Sales",
        "Re: Failing: Sales",
    ]


def test_owners_are_notified_by_mail(simulation: Simulation, notifiers: Notifiers, make_story: Make) -> None:
    """The owner of the content and that of its project, at the addresses that Tableau has, with links of their own."""
    settings = simulation.settings.model_copy(
        update={"public_url": "https://hooks.example", "link_secret": SecretStr("a-secret-for-links-in-the-test")}
    )
    story = make_story('notify = ["email:owner", "email:project_owner"]', notifiers=notifiers, settings=settings)
    story.refresh(FAILED, name="Newsletter")
    mails = taken(simulation, "email")
    assert sorted(mail.place for mail in mails) == ["chloe@acme.example", "dev@acme.example"]
    assert all("Acknowledge: https://hooks.example/act/" in mail.text for mail in mails)


def test_messages_have_links_to_act(simulation: Simulation, notifiers: Notifiers, make_story: Make) -> None:
    """With PUBLIC_URL and LINK_SECRET, an open incident can be acknowledged from each message; a closed one cannot."""
    settings = simulation.settings.model_copy(
        update={"public_url": "https://hooks.example", "link_secret": SecretStr("a-secret-for-links-in-the-test")}
    )
    story = make_story(
        'notify = ["teams:bi", "email:ann@example.org", "slack_webhook:bi"]', notifiers=notifiers, settings=settings
    )
    story.refresh(FAILED, name="Sales")
    story.at(60)
    story.refresh(SUCCEEDED, name="Sales")
    (teams, ended), (mail, last) = taken(simulation, "teams"), taken(simulation, "email")
    assert "[Acknowledge] https://hooks.example/act/" in teams.text
    assert "Snooze 1 h: https://hooks.example/act/" in mail.text
    assert "/act/" not in ended.text + last.text
    assert "https://hooks.example/act/" in str(simulation.messages[0].blocks)


def test_shared_message_has_links_to_act_on_all(simulation: Simulation, notifiers: Notifiers, make_story: Make) -> None:
    """The message about a storm can be acknowledged from a mail, from Teams and from PagerDuty."""
    settings = simulation.settings.model_copy(
        update={"public_url": "https://hooks.example", "link_secret": SecretStr("a-secret-for-links-in-the-test")}
    )
    destinations = '["teams:bi", "email:ann@example.org", "pagerduty:data"]'
    story = make_story(f"notify = {destinations}", notifiers=notifiers, settings=settings)
    storm(story, FAILED, range(5))
    story.work(300)
    (teams,) = (card for card in taken(simulation, "teams") if "refreshes" in card.title + card.text)
    (mail,) = (mail for mail in taken(simulation, "email") if "refreshes" in mail.text)
    assert "[Acknowledge all] https://hooks.example/act/" in teams.text
    assert "Snooze all 1 h: https://hooks.example/act/" in mail.text
    assert ">Acknowledge all</a>" in mail.data["html"]
    alerts = [event.data["links"] for event in taken(simulation, "pagerduty") if "refreshes" in event.title]
    assert [link["text"] for link in alerts[0]] == ["Acknowledge all", "Snooze all 1 h"]


@pytest.mark.second_stage
def test_person_without_edits_gets_two_messages(simulation: Simulation, notifiers: Notifiers, make_story: Make) -> None:
    """A mail at once, and one five minutes later with all that failed meanwhile; what fails after that is new."""
    story = make_story('notify = "email:ann@example.org"', notifiers=notifiers)
    for name, seconds in (("A", 50), ("B", 100), ("C", 100)):
        story.simulation.cause("WorkbookCreated", name=name)
        story.refresh(FAILED, name=name, run_seconds=seconds)
    assert len(taken(simulation, "email")) == 1
    story.work(50)
    first, second = taken(simulation, "email")
    assert "Failing: A" in first.title
    assert all(f"\n{name} · " in second.text for name in "ABC")
    story.simulation.cause("WorkbookCreated", name="D")
    story.refresh(FAILED, name="D", run_seconds=1)
    assert "Failing: D" in taken(simulation, "email")[2].title


class JoinedLate(NoticeGroups):
    """Groups that something joins just before they are closed, as another process may let it."""

    def __init__(self, inbox: Inbox, join: Callable[[], object]) -> None:
        super().__init__(inbox.store)
        self._join: list[Callable[[], object]] = [join]

    def close(self, group: GroupRecord) -> None:
        while self._join:
            self._join.pop()()
        super().close(group)


@pytest.mark.second_stage
def test_failure_that_joins_at_the_last_moment_is_sent(
    simulation: Simulation, notifiers: Notifiers, make_story: Make
) -> None:
    """A message that cannot be edited lists every incident that joined it until it was closed."""
    story = make_story('notify = "email:ann@example.org"', notifiers=notifiers)
    for name in "ABC":
        simulation.cause("WorkbookCreated", name=name)
    inbox = simulation.inbox
    inbox.notice_groups = JoinedLate(inbox, lambda: story.refresh(FAILED, name="C", run_seconds=0))
    for name in "AB":
        story.refresh(FAILED, name=name, run_seconds=50)
    story.work(400)
    (late,) = inbox.incidents.list(IncidentFilter(resources=["C"]))
    assert late.notices[0].group_id
    assert all(f"\n{name} · " in taken(simulation, "email")[1].text for name in "ABC")


def test_acknowledgement_in_pagerduty_comes_back(
    simulation: Simulation, notifiers: Notifiers, make_story: Make
) -> None:
    """The alert of one incident and that of a storm: the key in PagerDuty's report names the incidents here."""
    story = make_story('notify = "pagerduty:data"', notifiers=notifiers)
    storm(story, FAILED, range(5))
    story.work()
    alerts = simulation.running.world.taking.alerts
    assert [alert.status for alert in alerts] == ["triggered", "triggered"]
    for number, alert in enumerate(alerts):
        body = json.dumps(webhook(alert, "Ann Okafor", story.now.isoformat())).replace("triggered", "acknowledged")
        report = parse_report(body.encode())
        assert report
        act = Act("", "acknowledge", "", story.now, report.person)
        presses = simulation.inbox.presses
        # The incident with an alert of its own is a line of the storm, too.
        assert presses.record_alert(report.key, report.alert, act, origin="PagerDuty") == (1, 4)[number]
        assert presses.record_alert(report.key, report.alert, act, origin="PagerDuty") is None
        story.work()
    assert {one.incident.state for one in simulation.inbox.incidents.list()} == {"acknowledged"}
    assert [alert.status for alert in alerts] == ["acknowledged", "acknowledged"]
    assert {row.by for row in simulation.inbox.audit.list()} == {"Ann Okafor"}
