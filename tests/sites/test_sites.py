"""Two sites in one server: whose client a job gets, what rules and people see of it, and what the commands do."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from simulator.world.events import EventRequest, simulate_event
from tests.acceptance.server import serving, wait_for
from tests.support.simulated_site import MakeFlask, RunFlask, slack_messages
from webhooks.config.settings import Settings
from webhooks.errors import Skip
from webhooks.event import Event, build
from webhooks.job import Job
from webhooks.monitor.assembly import build_checks
from webhooks.monitor.checks import WebhookCheck
from webhooks.monitor.reconcile import Reconciler
from webhooks.services import Services
from webhooks.sites import UnknownSite

URL = "https://hooks.example.org"
STRANGER = "00000000-5d6d-4c8c-9b0b-a1a2a3a4a5a6"
Happens = Callable[..., Event]


@pytest.fixture
def happens(world: Running) -> Happens:
    """Something happens on a site, whose content URL is given; the event about it."""

    def make(event_type: str, site: str, **wish: str) -> Event:
        there = world.world.site_at(site)
        assert there
        fields: dict[str, Any] = simulate_event(world.world, there, EventRequest(event_type, **wish))
        fields.pop("event_type")
        return build(event_type, origin="test", **fields)

    return make


def jobs(services: Services, event: Event) -> list[Job]:
    """The jobs that the event makes, claimed."""
    services.inbox.events.receive(event)
    services.inbox.events.plan(services.planner.jobs)
    return services.inbox.jobs.claim("tests", 10, 60)


def learn(services: Services) -> None:
    for site in services.sites.all:
        services.sites.luid(site)


def test_each_event_is_asked_about_at_its_own_site(services: Services, happens: Happens, world: Running) -> None:
    """The client is the one of the event's site, learnt at sign-in; the message says which site it is."""
    for url, name in (("branch", "Branch"), ("acme", "Head Office")):
        (job,) = jobs(services, happens("WorkbookCreated", url, name=f"Made at {url}"))
        services.runner.run(job)
        services.inbox.jobs.finish(job)
        told = slack_messages(world)[-1]
        assert f"Made at {url}" in told
        assert name in told
        assert "Open in Tableau" in told  # what only that site knows


def test_what_was_learnt_is_noted_for_other_processes(services: Services, settings: Settings) -> None:
    """Nobody signs in again to learn it."""
    learn(services)
    other = Services(settings)
    known = [other.sites.known_luid(site) for site in other.sites.all]
    assert known == [services.sites.luid(site) for site in services.sites.all]
    other.stop()


def test_site_that_was_made_anew_is_learnt_anew(services: Services, happens: Happens) -> None:
    """What is noted may be of one that is gone."""
    branch = services.sites.all[1]
    services.inbox.state.set(f"site_luid {branch.key}", STRANGER)
    assert services.sites.known_luid(branch) == STRANGER
    assert services.sites.site_of(happens("WorkbookCreated", "branch")) is branch
    assert services.sites.known_luid(branch) != STRANGER


def test_unknown_site_is_a_permanent_error_that_names_the_known(services: Services) -> None:
    """No other site's credential is used for it."""
    with pytest.raises(UnknownSite, match=rf"{STRANGER}\. Known sites: Head Office \(.*Branch \(") as raised:
        services.sites.site_of(build("WorkbookCreated", origin="test", site_luid=STRANGER))
    assert raised.value.permanent


def test_message_about_an_unknown_site_goes_out_and_says_so(services: Services, world: Running) -> None:
    """Somebody has to learn that a site is missing; no client of another site is asked."""
    fields = {"resource_name": "Alien", "resource_luid": STRANGER, "created_at": "2026-01-31T09:30:00Z"}
    (job,) = jobs(services, build("WorkbookCreated", origin="test", site_luid=STRANGER, **fields))
    services.runner.run(job)
    (told,) = slack_messages(world)
    assert "Alien" in told
    assert f"No credential for the event's site {STRANGER}. Known sites: Head Office" in told


def test_with_one_site_every_event_is_its_own(settings: Settings, sites_file: Path) -> None:
    """As it is with the variables; and messages need no label."""
    sites_file.write_text(sites_file.read_text(encoding="utf-8").rpartition("[[site]]")[0], encoding="utf-8")
    services = Services(Settings.read(_env_file=None, sites_file=sites_file, database_url=settings.database_url))
    event = build("WorkbookCreated", origin="test", site_luid=STRANGER)
    assert services.sites.site_of(event) is services.sites.all[0]
    assert services.sites.label(event) == ""
    services.stop()


def test_rule_names_a_site(services: Services, happens: Happens) -> None:
    """Other sites' events make no job once it is known which is which."""
    learn(services)
    assert jobs(services, happens("WorkbookDeleted", "acme")) == []
    happens("WorkbookCreated", "branch", name="Short")
    (job,) = jobs(services, happens("WorkbookDeleted", "branch", name="Short"))
    assert (job.rule, dict(job.where)) == ("Branch only", {})


def test_rule_that_names_a_site_waits_for_who_can_tell(services: Services, happens: Happens) -> None:
    """Planning asks nobody, so the job looks at it, and ends as skipped where it is another site."""
    (job,) = jobs(services, happens("WorkbookDeleted", "acme"))
    assert "site_luid" in job.where
    with pytest.raises(Skip, match=r"site is Head Office, not Branch\*"):
        services.runner.run(job)
    services.inbox.jobs.skip(job, "tested")


def test_explain_says_it_by_name(flask: RunFlask, services: Services, happens: Happens) -> None:
    """Not by a LUID that nobody knows."""
    learn(services)
    event_id = services.inbox.events.receive(happens("WorkbookDeleted", "acme")).id
    assert "site is Head Office, not Branch*" in flask("events", "explain", event_id).stdout


def hooks(world: Running, site: str) -> set[str]:
    there = world.world.site_at(site)
    assert there
    return {one.event for one in there.webhooks.values()}


def test_sync_gives_each_site_what_the_rules_want_of_it(flask: RunFlask, world: Running) -> None:
    """All sites in one run; --site is one of them; a second run changes nothing."""
    only = flask("webhooks", "sync", "--url", URL, "--yes", "--site", "branch")
    assert only.exit_code == 0, only.output
    assert (hooks(world, "acme"), hooks(world, "branch")) == (set(), {"WorkbookCreated", "WorkbookDeleted"})
    both = flask("webhooks", "sync", "--url", URL, "--yes")
    assert "Head Office: Webhook URL:" in both.stdout
    assert (hooks(world, "acme"), hooks(world, "branch")) == (
        {"WorkbookCreated"},
        {"WorkbookCreated", "WorkbookDeleted"},
    )
    assert flask("webhooks", "sync", "--url", URL).stdout.count("up to date") == 2


def test_list_shows_all_sites_or_one(flask: RunFlask) -> None:
    """JSON says the site of each."""
    flask("webhooks", "sync", "--url", URL, "--yes")
    listed = [json.loads(line) for line in flask("webhooks", "list", "--json").stdout.splitlines()]
    assert sorted(one["site"] for one in listed) == ["Branch", "Branch", "Head Office"]
    assert "Branch" not in flask("webhooks", "list", "--site", "head office").stdout
    unknown = flask("webhooks", "list", "--site", "Brunch")
    assert (unknown.exit_code, "did you mean Branch?" in unknown.output) == (2, True)


def test_webhook_is_found_by_its_luid_wherever_it_is(flask: RunFlask, world: Running) -> None:
    """A name that two sites have is not enough."""
    flask("webhooks", "sync", "--url", URL, "--yes")
    assert flask("webhooks", "delete", "tableau-webhooks WorkbookCreated").exit_code == 1
    there = world.world.site_at("branch")
    assert there
    luid = next(luid for luid, one in there.webhooks.items() if one.event == "WorkbookCreated")
    assert flask("webhooks", "delete", luid).exit_code == 0
    assert hooks(world, "branch") == {"WorkbookDeleted"}
    needs = flask("webhooks", "create", "ViewDeleted", "--url", URL)
    assert (needs.exit_code, "--site: Head Office, Branch" in needs.output) == (2, True)


def test_site_that_refuses_does_not_stop_the_others(
    make_flask: MakeFlask, settings: Settings, sites_file: Path, world: Running
) -> None:
    """The command says which one, and fails at its end."""
    sites_file.write_text(sites_file.read_text(encoding="utf-8").replace(world.world.config.pat_secret, "wrong-one"))
    fresh = Settings.read(**{**settings.model_dump(), "_env_file": None})
    result = make_flask(fresh)("webhooks", "sync", "--url", URL, "--yes")
    assert result.exit_code == 1
    assert "Head Office: " in result.stderr
    assert "wrong-one" not in result.output
    assert hooks(world, "branch") == {"WorkbookCreated", "WorkbookDeleted"}


def test_doctor_examines_every_site(flask: RunFlask) -> None:
    """Each by its name."""
    result = flask("doctor", "--json")
    said = [json.loads(line) for line in result.stdout.splitlines()]
    signed_in = [one["text"] for one in said if (one["check"], one["state"]) == ("sign-in", "ok")]
    assert [text.partition(":")[0] for text in signed_in] == ["Head Office", "Branch"]
    assert "2 sites: Head Office, Branch" in [one["text"] for one in said]
    one = flask("doctor", "--json", "--site", "Branch")
    assert "Head Office: " not in one.stdout


def test_alert_names_the_site_and_is_sent_once(flask: RunFlask, services: Services, world: Running) -> None:
    """The stored state of one site is not mistaken for that of another."""
    flask("webhooks", "sync", "--url", URL, "--yes", "--site", "Head Office")
    settings = services.settings.model_copy(update={"webhook_url": URL})
    sites = services.sites.all
    checks = build_checks(settings, services.inbox, sites, client=services.client, desired=services.desired_event_types)
    head_office, branch = (check for check in checks if isinstance(check, WebhookCheck))
    for check in (head_office, branch, head_office, branch):
        check.run(datetime(2026, 1, 31, 9, 30, tzinfo=UTC))
    alerts = [str(record.event.payload.get("text")) for record in services.inbox.events.list()]
    assert len(alerts) == 1
    assert alerts[0].startswith("Site Branch: The webhook for WorkbookCreated is missing.")
    assert sum(isinstance(check, Reconciler) for check in checks) == 2


def test_whole_way_with_two_sites(outside: dict[str, str], world: Running, tmp_path: Path) -> None:
    """A server of its own: webhooks on both sites, things happen on both, people are told of both, by name."""
    with serving(tmp_path, outside) as server:
        synced = server.flask("webhooks", "sync", "--url", server.url, "--yes")
        assert synced.returncode == 0, synced.stderr
        for site in ("acme", "branch"):
            wish = {"event_type": "WorkbookCreated", "name": f"New at {site}", "site": site}
            made = requests.post(f"{world.url}/simulator/events", json=wish, timeout=5)
            assert made.json()["deliveries"] == 1, made.text
        told = wait_for(lambda: (texts := slack_messages(world)) and len(texts) == 2 and texts, what="two messages")
        assert any("New at acme" in text and "Head Office" in text for text in told)
        assert any("New at branch" in text and "Branch" in text for text in told)
        log = server.log.read_text(encoding="utf-8")
        assert "branch-pat-secret" not in log
