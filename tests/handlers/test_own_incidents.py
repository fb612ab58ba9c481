"""Problems of this server itself against a simulated Tableau and Slack: one message each, which closes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from simulator.world.site import Webhook
from tableau_rest import PersonalAccessToken, Tableau
from tests.handlers.test_incident_notices import Story
from tests.support.simulated_actions import Simulation
from webhooks import rules
from webhooks.inbox import Inbox
from webhooks.inbox.server.sight import SightRecord
from webhooks.incidents import Act
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.certificate import Certificate
from webhooks.monitor.checks import CertificateCheck, DesiredWebhooks, GapCheck, WebhookCheck
from webhooks.monitor.credential import CredentialCheck
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.job_events import JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.monitor.reconcile import Reconciler
from webhooks.monitor.sight import Sight
from webhooks.registry import registry

URL = "https://hooks.example.org/webhook/token"
TYPES = ("DatasourceCreated", "WorkbookCreated", "WorkbookDeleted", "WorkbookRefreshFailed", "WorkbookRefreshSucceeded")
NAMING = """
[[rule]]
name = "Ours"
on = ["WebhooksDrifted", "WebhookCheckFailed"]
notify = {to}
"""


def unseen_since(inbox: Inbox, now: datetime) -> datetime | None:
    return SightRecord.load(inbox.state, "").unseen_since(now)


@dataclass
class Site:
    """All checks of one site, on the clock of a story."""

    story: Story
    secret: str = ""
    checks: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        inbox, alerts = self.story.simulation.inbox, Alerts(self.story.simulation.inbox)
        sight, job_list = Sight(alerts), JobList(self.tableau, JobBudget(inbox), for_refreshes=True)
        desired = DesiredWebhooks(TYPES, URL, "tableau-webhooks")
        webhooks = WebhookCheck(alerts, self.tableau, desired, sight=sight)
        self.checks = [
            webhooks,
            JobListCheck(alerts, self.tableau, lambda: ["FlowRunFailed"], job_list, sight),
            Reconciler(inbox, self.tableau, TYPES, repaired=webhooks.take_repaired, caught_up=sight.caught_up),
            CredentialCheck(alerts, self.tableau, sight),
            sight,
        ]
        # No server listens at URL: a further attempt at a delivery would let Tableau disable the webhook.
        self.story.simulation.running.world.set({"retry_waits": [3600.0]})
        for name in TYPES:
            self.tableau().create_webhook(f"tableau-webhooks {name}", name, URL)

    def tableau(self) -> Tableau:
        """Return a client; with `secret`, one whose token was revoked."""
        config = self.story.simulation.running.world.config
        token = PersonalAccessToken(config.pat_name, self.secret or config.pat_secret)
        return Tableau(self.story.simulation.running.url, config.content_url, token, clock=lambda: self.story.now)

    def check(self, minutes: float) -> None:
        """Run all checks at that time, and all jobs that they lead to."""
        self.story.at(minutes)
        for check in self.checks:
            check.run(self.story.now)  # type: ignore[attr-defined]
        self.story.work(60)

    def disable(self, number: int, reason: str = "too many failures") -> None:
        """Disable some of our webhooks, as Tableau does."""
        world = self.story.simulation.running.world
        with world.lock:
            ours: list[Webhook] = [one for one in world.home.webhooks.values() if one.url == URL]
            for webhook in ours[:number]:
                webhook.is_enabled, webhook.status_change_reason = False, reason

    @property
    def kinds(self) -> list[tuple[str, str]]:
        incidents = [record.incident for record in self.story.simulation.inbox.incidents.list()]
        return sorted((one.kind, one.state) for one in incidents)


@pytest.fixture
def story(simulation: Simulation, tmp_path: Path) -> Iterator[Story]:
    told = Story(simulation, rules=rules.parse('[dead_letters]\nnotify = "slack:#bi"', registry.actions))
    simulation.inbox = Inbox.open(f"sqlite:///{tmp_path}/story.sqlite3", clock=told.seconds)
    yield told
    simulation.inbox.close()


@pytest.fixture
def site(story: Story) -> Site:
    """Return a site on which all is well."""
    site = Site(story)
    site.check(0)
    assert site.kinds == []
    assert story.top_level == []
    return site


def test_disabled_webhooks_are_one_message_that_says_how_it_ended(site: Site) -> None:
    """Tableau disabled two; they were enabled again at the next check, at most five minutes later."""
    site.disable(2)
    site.check(5)
    (text,) = site.story.top_level
    assert text.startswith("Recovered: 2 webhooks enabled again in Tableau\n")
    assert "too many failures" in text
    assert "Duration: 5 min" in text
    assert "Closed because: enabled again" in text
    assert site.kinds == [("webhook", "closed")]
    site.check(10)
    assert len(site.story.top_level) == 1


def test_webhooks_that_stay_disabled_keep_one_message_until_they_are_correct(site: Site) -> None:
    """The fourth time within a day they stay disabled; the message follows, also when a person enables them."""
    for minutes in (5, 10, 15):
        site.disable(1)
        site.check(minutes)
    site.disable(1)
    site.check(20)
    site.check(25)
    assert site.kinds == [("webhook", "open")]
    (text,) = site.story.top_level
    assert text.startswith("1 webhook in Tableau needs attention\n")
    for webhook in site.tableau().webhooks():
        site.tableau().update_webhook(webhook.luid, is_enabled=True)
    site.check(32)
    (text,) = site.story.top_level
    assert text.startswith("Recovered: 1 webhook in Tableau needs attention\n")
    assert "Closed because: the webhooks are correct again" in text


def test_revoked_token_is_one_incident_however_many_checks_notice(site: Site) -> None:
    """It says since when nothing is seen, can be acknowledged, and closes with what was missed meanwhile."""
    site.secret = "revoked-0123456789"
    site.check(5)
    site.check(10)
    assert site.kinds == [("blind", "open")]
    (text,) = site.story.top_level
    assert text.startswith("Tableau rejects the credential\n")
    assert site.secret not in text
    inbox, now = site.story.simulation.inbox, site.story.start + timedelta(minutes=12)
    assert unseen_since(inbox, now) == site.story.start + timedelta(minutes=5)
    site.story.act("acknowledge")
    assert site.kinds == [("blind", "acknowledged")]
    assert site.story.top_level[0].startswith("Acknowledged: Tableau rejects the credential\n")
    site.story.at(15)
    site.story.simulation.cause("WorkbookDeleted", name="Sales")
    site.secret = ""
    site.check(30)
    site.check(40)
    (text,) = [one for one in site.story.top_level if "credential" in one]
    assert text.startswith("Recovered: Tableau rejects the credential\n")
    assert "Duration: 25 min" in text
    assert "Closed because: Tableau can be read again" in text
    assert site.kinds == [("blind", "closed")]
    assert unseen_since(inbox, site.story.now) is None


def test_outage_of_tableau_is_an_incident_only_if_it_lasts(site: Site) -> None:
    """A short one is none; a longer one has one message, whose beginning is that of the outage."""
    fault = site.story.simulation.inject(kind="html", path="webhooks", status=503, times=100)
    site.check(5)
    assert site.kinds == []
    assert unseen_since(site.story.simulation.inbox, site.story.now) is not None
    site.check(16)
    (text,) = site.story.top_level
    assert text.startswith("Tableau cannot be reached\n")
    (record,) = site.story.simulation.inbox.incidents.list()
    assert record.incident.opened_at == site.story.start + timedelta(minutes=5)
    site.story.simulation.running.world.faults.remove(fault)
    site.check(21)
    assert site.story.top_level[0].startswith("Recovered: Tableau cannot be reached\n")


def test_refused_job_list_hides_no_refreshes(site: Site) -> None:
    """Webhooks still report them, so nothing else may be held back because of it."""
    site.story.simulation.inject(kind="error", path="jobs", code="403004", times=100)
    site.check(5)
    assert site.kinds == [("blind", "open")]
    assert unseen_since(site.story.simulation.inbox, site.story.now) is None


def test_long_silence_of_the_checks_counts_as_unseen(site: Site) -> None:
    """After downtime nothing is known until the checks have run again."""
    inbox = site.story.simulation.inbox
    later = site.story.start + timedelta(hours=4)
    assert unseen_since(inbox, later) == site.story.start
    site.check(240)
    assert unseen_since(inbox, site.story.now) is None


def test_expiring_certificate_alerts_again_when_little_time_is_left(story: Story) -> None:
    """One message; each stage is a reply that people see, and the new certificate closes it."""
    expires_at = story.start + timedelta(days=20, hours=1)
    found = {"expires_at": expires_at}
    check = CertificateCheck(
        Alerts(story.simulation.inbox), URL, fetch=lambda _: Certificate("hooks.example.org", found["expires_at"])
    )

    def run(days: float) -> None:
        story.at(days * 24 * 60)
        check.run(story.now)
        story.work(60)

    for days in (0, 7, 8, 14, 18, 20):
        run(days)
    (text,) = story.top_level
    assert text.startswith("The certificate of hooks.example.org expires soon\n")
    assert "(today)" in text
    assert [f"(in {days} days)" in reply for days, reply in zip((6, 2), story.replies, strict=False)] == [True, True]
    assert len(story.replies) == 3
    found["expires_at"] = expires_at + timedelta(days=90)
    run(20.5)
    (text,) = story.top_level
    assert text.startswith("Recovered: The certificate of hooks.example.org expires soon\n")
    assert f"the certificate is valid until {found['expires_at']:%Y-%m-%d}" in text


def test_rule_that_names_the_type_shares_the_message(site: Site) -> None:
    """The destination of the rule and of [dead_letters] is the same: one message; another one has one of its own."""
    dead_letters = '[dead_letters]\nnotify = "slack:#bi"\n'
    text = dead_letters + NAMING.format(to='["slack:#bi", "slack:#finance-data"]')
    site.story.rules = rules.parse(text, registry.actions)
    assert site.story.rules.warnings == ()
    site.disable(1)
    site.check(5)
    assert len(site.story.top_level) == 2
    site.disable(1)
    site.check(10)
    assert len(site.story.top_level) == 2


def test_silence_of_the_kind_holds_the_message(site: Site, silence: Callable[[str], None]) -> None:
    """A silence of webhooks does not hold what is about the credential."""
    silence("webhook")
    site.disable(1)
    site.check(5)
    assert site.story.top_level == []
    site.secret = "revoked-0123456789"
    site.check(10)
    assert len(site.story.top_level) == 1


@pytest.fixture
def silence(story: Story) -> Callable[[str], None]:
    """Add a silence of one kind of incidents."""

    def add(kind: str) -> None:
        story.simulation.inbox.silences.add(
            matchers={"kind": [kind]}, start=story.start, end=None, by="Ann", reason="test"
        )

    return add


def test_closed_by_hand_stays_closed_until_something_changes(site: Site) -> None:
    """A person who dismisses a problem is not asked again about the same one."""
    site.secret = "revoked-0123456789"
    site.check(5)
    site.story.simulation.inbox.incidents.act(1, Act("", "close", "", site.story.now, "Ann"))
    site.check(10)
    assert site.kinds == [("blind", "closed")]


def test_downtime_is_reported_only_if_something_was_missed(site: Site) -> None:
    """The message names the time and the number of events that were found; without any there is none."""
    site.check(240)
    assert site.story.top_level == []
    site.story.at(300)
    deleted = site.story.simulation.running.world.home.content("workbook")
    deleted.pop(next(luid for luid, one in deleted.items() if one.name == "Sales"))
    site.check(480)
    (text,) = [one for one in site.story.top_level if "could not receive" in one]
    assert text.startswith("Recovered: This server could not receive events\n")
    assert re.search(r"\d+ missed events? (was|were) found in its lists", text)
    assert ("blind", "closed") in site.kinds


def test_credential_that_expires_soon_is_an_incident_until_there_is_a_new_one(story: Story) -> None:
    """The check asks once a day."""
    config = story.simulation.running.world.config
    expires = {"on": (story.start + timedelta(days=8)).date()}

    def tableau() -> Tableau:
        token = PersonalAccessToken(config.pat_name, config.pat_secret, expires["on"])
        return Tableau(story.simulation.running.url, config.content_url, token, clock=lambda: story.now)

    check = CredentialCheck(Alerts(story.simulation.inbox), tableau)
    for days in (0, 2):
        story.at(days * 24 * 60)
        check.run(story.now)
        story.work(60)
    (text,) = story.top_level
    assert text.startswith("The credential for Tableau expires soon\n")
    expires["on"] += timedelta(days=365)
    story.at(4 * 24 * 60)
    check.run(story.now)
    story.work(60)
    (text,) = story.top_level
    assert text.startswith("Recovered: The credential for Tableau expires soon\n")


def test_no_events_is_an_incident_until_events_come_in_again(story: Story) -> None:
    """It has nothing to do with that of webhooks that are disabled."""
    inbox = story.simulation.inbox
    for hour in range(100):
        story.at(60 * hour)
        inbox.events.receive(story.simulation.event("ViewDeleted", resource_luid=f"view {hour}"))
    check = GapCheck(Alerts(inbox))
    for minutes in (60 * 110, 60 * 111):
        story.at(minutes)
        check.run(story.now)
        story.work(60)
    (text,) = story.top_level
    assert text.startswith("No events received for 11 hours\n")
    inbox.events.receive(story.simulation.event("ViewDeleted", resource_luid="view"))
    story.at(60 * 112)
    check.run(story.now)
    story.work(60)
    (text,) = story.top_level
    assert text.startswith("Recovered: No events received for 11 hours\n")
    assert "events are received again" in text
