"""Two sites in one server: the client of each job, the site in rules and messages, and the commands."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from simulator.world.events import EventRequest, simulate_event
from tests.support import certificates
from tests.support.server import serving, wait_for
from tests.support.simulated_site import MakeFlask, RunFlask, slack_messages
from webhooks.config.settings import Settings
from webhooks.errors import RetryLater, Skip
from webhooks.event import Event, build
from webhooks.job import Job, JobState
from webhooks.monitor.assembly import Lookups, build_checks
from webhooks.monitor.checks import WebhookCheck
from webhooks.monitor.reconcile import Reconciler
from webhooks.services import Services
from webhooks.sites import UnknownSite
from webhooks.worker.attempt import Attempts

URL = "https://hooks.example.org"
STRANGER = "00000000-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
Cause = Callable[..., Event]


@pytest.fixture
def cause(world: Running) -> Cause:
    """Return a function that makes something happen on the site with a content URL, and returns the event."""

    def cause(event_type: str, content_url: str, **request: str) -> Event:
        site = world.world.site_at(content_url)
        assert site
        fields: dict[str, Any] = simulate_event(world.world, site, EventRequest(event_type, **request))
        fields.pop("event_type")
        return build(event_type, origin="test", **fields)

    return cause


def jobs(services: Services, event: Event) -> list[Job]:
    """Receive the event, and return its jobs, claimed."""
    services.inbox.events.receive(event)
    services.inbox.events.plan(services.planner.jobs)
    return services.inbox.jobs.claim("tests", 10, 60)


def learn_luids(services: Services) -> None:
    for site in services.sites.all:
        services.sites.luid(site)


def test_jobs_wait_for_a_site_until_it_responds(
    services: Services, cause: Cause, world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are due at once then, whichever call shows it; jobs of other sites do not wait."""
    monkeypatch.setattr("webhooks.worker.retry.WAITS", (600.0,))
    learn_luids(services)
    inbox, attempts = services.inbox, Attempts(services.inbox, services.runner.attempt, threading.Event())
    for number in range(3):
        inbox.events.receive(cause("WorkbookCreated", "branch", name=f"Made {number}"))
    inbox.events.receive(cause("WorkbookCreated", "acme", name="Made at acme"))
    inbox.events.plan(services.planner.jobs)
    branch = next(site for site in services.sites.all if site.name == "Branch")
    fault = {"kind": "error", "target": "tableau", "code": "503000", "path": services.sites.luid(branch)}
    world.world.faults.add(fault)
    states = []
    for job in inbox.jobs.claim("tests", 10, 60):
        ending = attempts.run(job, lambda: True)
        assert ending is not None
        attempts.settle(job, ending)
        states.append((ending.state, ending.service))
    assert states == [(JobState.READY, "tableau Branch")] * 3 + [(JobState.DONE, "")]
    assert [(one.service, one.waiting) for one in inbox.outages.list()] == [("tableau Branch", 3)]
    world.world.faults.remove()
    services.sites.client(branch).user(services.sites.client(branch).session().user_luid)
    assert inbox.outages.wake() == 3
    assert inbox.outages.list() == []


def test_job_of_an_unknown_site_waits_for_no_other_site(
    services: Services, cause: Cause, world: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While two sites do not respond it may be of either; it is due once one of them is known."""
    monkeypatch.setattr("webhooks.worker.retry.WAITS", (600.0,))
    head_office, branch = services.sites.all
    inbox, attempts = services.inbox, Attempts(services.inbox, services.runner.attempt, threading.Event())
    (job,) = jobs(services, cause("WorkbookCreated", "branch", name="Made"))
    world.world.faults.add({"kind": "error", "target": "tableau", "code": "500000"})
    ending = attempts.run(job, lambda: True)
    assert ending is not None
    attempts.settle(job, ending)
    assert ending.service == "tableau"
    assert inbox.outages.wake() == 0
    world.world.faults.remove()
    services.sites.luid(branch)
    assert inbox.outages.wake() == 1
    assert services.sites.known_luid(head_office) == ""


def test_each_job_uses_the_client_of_its_site(services: Services, cause: Cause, world: Running) -> None:
    """The site is the event's, learned at sign-in; the message names it."""
    for url, name in (("branch", "Branch"), ("acme", "Head Office")):
        (job,) = jobs(services, cause("WorkbookCreated", url, name=f"Made at {url}"))
        while True:
            try:
                services.runner.run(job)
                break
            except RetryLater:
                # Slack accepts one message a second in a channel.
                time.sleep(0.2)
        services.inbox.jobs.finish(job)
        message = slack_messages(world)[-1]
        assert f"Made at {url}" in message
        assert name in message
        assert "Open in Tableau" in message  # only that site knows the address


def test_learned_luids_are_stored_for_other_processes(services: Services, settings: Settings) -> None:
    """No other process has to sign in to learn them."""
    learn_luids(services)
    other = Services(settings)
    known = [other.sites.known_luid(site) for site in other.sites.all]
    assert known == [services.sites.luid(site) for site in services.sites.all]
    other.stop()


def test_luid_of_a_recreated_site_is_learned_again(services: Services, cause: Cause) -> None:
    """The stored LUID may be that of a deleted site."""
    branch = services.sites.all[1]
    services.inbox.state.set(f"site_luid {branch.key}", STRANGER)
    assert services.sites.known_luid(branch) == STRANGER
    assert services.sites.site_of(cause("WorkbookCreated", "branch")) is branch
    assert services.sites.known_luid(branch) != STRANGER


def test_unknown_site_is_a_permanent_error_that_names_the_known_sites(services: Services) -> None:
    """The credential of another site is not used."""
    with pytest.raises(UnknownSite, match=rf"{STRANGER}\. Known sites: Head Office \(.*Branch \(") as raised:
        services.sites.site_of(build("WorkbookCreated", origin="test", site_luid=STRANGER))
    assert raised.value.permanent


def test_message_about_an_unknown_site_is_sent_and_says_so(services: Services, world: Running) -> None:
    """People learn that a site is missing; the client of another site is not used."""
    fields = {"resource_name": "Alien", "resource_luid": STRANGER, "created_at": "2026-01-31T09:30:00Z"}
    (job,) = jobs(services, build("WorkbookCreated", origin="test", site_luid=STRANGER, **fields))
    services.runner.run(job)
    (message,) = slack_messages(world)
    assert "Alien" in message
    assert f"No credential for the event's site {STRANGER}. Known sites: Head Office" in message


def test_all_events_belong_to_the_only_site(settings: Settings, sites_file: Path) -> None:
    """As with the variables; messages do not name it."""
    sites_file.write_text(sites_file.read_text(encoding="utf-8").rpartition("[[site]]")[0], encoding="utf-8")
    services = Services(Settings.read(_env_file=None, sites_file=sites_file, database_url=settings.database_url))
    event = build("WorkbookCreated", origin="test", site_luid=STRANGER)
    assert services.sites.site_of(event) is services.sites.all[0]
    assert services.sites.label(event) == ""
    services.stop()


def test_rule_about_a_site_ignores_other_sites(services: Services, cause: Cause) -> None:
    """Once the LUIDs are known, events of other sites make no job."""
    learn_luids(services)
    assert jobs(services, cause("WorkbookDeleted", "acme")) == []
    cause("WorkbookCreated", "branch", name="Short")
    (job,) = jobs(services, cause("WorkbookDeleted", "branch", name="Short"))
    assert (job.rule, dict(job.where)) == ("Branch only", {})


def test_condition_on_an_unknown_site_is_deferred_to_the_job(services: Services, cause: Cause) -> None:
    """Planning sends no request; the job checks the site, and is skipped if it is another one."""
    (job,) = jobs(services, cause("WorkbookDeleted", "acme"))
    assert "site_luid" in job.where
    with pytest.raises(Skip, match=r"site is Head Office, not Branch\*"):
        services.runner.run(job)
    services.inbox.jobs.skip(job, "tested")


def test_explain_names_the_site(flask: RunFlask, services: Services, cause: Cause) -> None:
    """It shows the name, not the LUID."""
    learn_luids(services)
    event_id = services.inbox.events.receive(cause("WorkbookDeleted", "acme")).id
    assert "site is Head Office, not Branch*" in flask("events", "explain", event_id).stdout


def webhooks(world: Running, content_url: str) -> set[str]:
    site = world.world.site_at(content_url)
    assert site
    return {webhook.event for webhook in site.webhooks.values()}


def test_sync_creates_on_each_site_what_the_rules_need(flask: RunFlask, world: Running) -> None:
    """All sites in one run, or one with --site; a second run changes nothing."""
    only = flask("webhooks", "sync", "--url", URL, "--yes", "--site", "branch")
    assert only.exit_code == 0, only.output
    assert (webhooks(world, "acme"), webhooks(world, "branch")) == (set(), {"WorkbookCreated", "WorkbookDeleted"})
    both = flask("webhooks", "sync", "--url", URL, "--yes")
    assert "Head Office: Webhook URL:" in both.stdout
    assert (webhooks(world, "acme"), webhooks(world, "branch")) == (
        {"WorkbookCreated"},
        {"WorkbookCreated", "WorkbookDeleted"},
    )
    assert flask("webhooks", "sync", "--url", URL).stdout.count("up to date") == 2


def test_list_shows_all_sites_or_one(flask: RunFlask) -> None:
    """The JSON objects name the site."""
    flask("webhooks", "sync", "--url", URL, "--yes")
    listed = [json.loads(line) for line in flask("webhooks", "list", "--json").stdout.splitlines()]
    assert sorted(one["site"] for one in listed) == ["Branch", "Branch", "Head Office"]
    assert "Branch" not in flask("webhooks", "list", "--site", "head office").stdout
    unknown = flask("webhooks", "list", "--site", "Brunch")
    assert (unknown.exit_code, "did you mean Branch?" in unknown.output) == (2, True)


def test_webhook_is_found_by_its_luid_on_any_site(flask: RunFlask, world: Running) -> None:
    """A name that two sites have is ambiguous."""
    flask("webhooks", "sync", "--url", URL, "--yes")
    assert flask("webhooks", "delete", "tableau-webhooks WorkbookCreated").exit_code == 1
    branch = world.world.site_at("branch")
    assert branch
    luid = next(luid for luid, webhook in branch.webhooks.items() if webhook.event == "WorkbookCreated")
    assert flask("webhooks", "delete", luid).exit_code == 0
    assert webhooks(world, "branch") == {"WorkbookDeleted"}
    ambiguous = flask("webhooks", "create", "ViewDeleted", "--url", URL)
    assert (ambiguous.exit_code, "--site: Head Office, Branch" in ambiguous.output) == (2, True)


def test_site_that_rejects_the_credential_does_not_stop_the_others(
    make_flask: MakeFlask, settings: Settings, sites_file: Path, world: Running
) -> None:
    """The command names the site, continues with the others, and fails at the end."""
    sites_file.write_text(sites_file.read_text(encoding="utf-8").replace(world.world.config.pat_secret, "wrong-one"))
    fresh = Settings.read(**{**settings.model_dump(), "_env_file": None})
    result = make_flask(fresh)("webhooks", "sync", "--url", URL, "--yes")
    assert result.exit_code == 1
    assert "Head Office: " in result.stderr
    assert "wrong-one" not in result.output
    assert webhooks(world, "branch") == {"WorkbookCreated", "WorkbookDeleted"}


def test_doctor_checks_every_site(flask: RunFlask) -> None:
    """Each line names its site; --site checks one."""
    result = flask("doctor", "--json")
    findings = [json.loads(line) for line in result.stdout.splitlines()]
    signed_in = [one["text"] for one in findings if (one["check"], one["state"]) == ("sign-in", "ok")]
    assert [text.partition(":")[0] for text in signed_in] == ["Head Office", "Branch"]
    assert "2 sites: Head Office, Branch" in [one["text"] for one in findings]
    one = flask("doctor", "--json", "--site", "Branch")
    assert "Head Office: " not in one.stdout


def test_alert_names_the_site_and_is_sent_once(flask: RunFlask, services: Services, world: Running) -> None:
    """The stored state of one site is not mistaken for that of another."""
    flask("webhooks", "sync", "--url", URL, "--yes", "--site", "Head Office")
    settings = services.settings.model_copy(update={"webhook_url": URL})
    sites = services.sites.all
    lookups = Lookups(services.client, services.desired_event_types)
    checks = build_checks(settings, services.inbox, sites, lookups)
    head_office, branch = (check for check in checks if isinstance(check, WebhookCheck))
    for check in (head_office, branch, head_office, branch):
        check.run(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    alerts = [str(record.event.payload.get("text")) for record in services.inbox.events.list()]
    assert len(alerts) == 1
    assert alerts[0].startswith("Site Branch: The webhook for WorkbookCreated is missing.")
    assert sum(isinstance(check, Reconciler) for check in checks) == 2


def test_server_with_two_sites(simulated: dict[str, str], world: Running, tmp_path: Path) -> None:
    """A real server has webhooks on both sites; events of both lead to messages that name the site."""
    with serving(tmp_path, simulated) as server:
        synced = server.flask("webhooks", "sync", "--url", server.url, "--yes")
        assert synced.returncode == 0, synced.stderr
        for site in ("acme", "branch"):
            request = {"event_type": "WorkbookCreated", "name": f"New at {site}", "site": site}
            response = requests.post(f"{world.url}/simulator/events", json=request, timeout=30)
            assert response.json()["deliveries"] == 1, response.text
        messages = wait_for(lambda: (texts := slack_messages(world)) and len(texts) == 2 and texts, what="two messages")
        assert any("New at acme" in text and "Head Office" in text for text in messages)
        assert any("New at branch" in text and "Branch" in text for text in messages)
        log = server.log.read_text(encoding="utf-8")
        assert "branch-pat-secret" not in log


def test_ca_bundle_is_for_tableau_and_all_notifiers(tmp_path: Path) -> None:
    """One variable names the certificate authorities of a network for all outgoing TLS."""
    settings = Settings(
        _env_file=None,
        database_url=f"sqlite:///{tmp_path / 'inbox.sqlite3'}",
        tableau_domain="tableau.example.org",
        tableau_pat_name="a",
        tableau_pat_secret="b",
        ca_bundle=certificates.issue(tmp_path).root,
    )
    services = Services(settings)
    assert services.sites.client(services.sites.all[0]).ca_bundle == str(tmp_path / "root.pem")
    assert {services.notifiers[kind].ca_bundle for kind in services.notifiers} == {str(tmp_path / "root.pem")}
    services.stop()
