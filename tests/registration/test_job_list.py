"""Commands and health say where events without a webhook come from, and whether the job list can be read."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from simulator import Running
from tests.support.simulated_site import MakeFlask, RunFlask, inject_fault, registered_webhooks
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.inbox import Inbox
from webhooks.monitor.alerts import Alerts
from webhooks.monitor.job_budget import JobBudget
from webhooks.monitor.job_events import JobListCheck
from webhooks.monitor.job_list import JobList
from webhooks.services import Services

URL = "https://hooks.example.org"


@pytest.fixture
def with_flows(rules_file: Path) -> None:
    """Let a rule need events from the job list."""
    with rules_file.open("a", encoding="utf-8") as file:
        file.write('\n[[rule]]\nname = "Flows"\non = ["FlowRunFailed", "SubscriptionFailed"]\nnotify = "slack:#bi"\n')


def fail_reading(services: Services, site: Running) -> None:
    """Let the server try to read the job list without the right to do so."""
    inject_fault(site, kind="error", target="tableau", path="/jobs", code="403004")
    jobs = JobList(services.client, JobBudget(services.inbox))
    check = JobListCheck(Alerts(services.inbox), services.client, services.desired_job_list_types, jobs)
    check.run(datetime.now(UTC))


def doctor(flask: RunFlask) -> list[tuple[str, str]]:
    """Return the state and the text of each result about the job list."""
    results = map(json.loads, flask("doctor", "--json").stdout.splitlines())
    return [(result["state"], result["text"]) for result in results if result["check"] == "job list"]


@pytest.mark.usefixtures("with_flows")
def test_sync_registers_no_webhook_and_says_so(flask: RunFlask, site: Running) -> None:
    """Tableau is never asked for a webhook that it does not have."""
    synced = flask("webhooks", "sync", "--url", URL)
    assert synced.exit_code == 0, synced.output
    assert "FlowRunFailed, SubscriptionFailed: no webhook; found in Tableau's job list" in synced.stdout
    assert not {webhook.event for webhook in registered_webhooks(site)} & {"FlowRunFailed", "SubscriptionFailed"}
    created = flask("webhooks", "create", "FlowRunFailed", "--url", URL)
    assert created.exit_code == 2
    assert "Tableau has no webhook for FlowRunFailed" in created.stderr


@pytest.mark.usefixtures("with_flows")
def test_rules_check_knows_the_types_and_says_what_they_need(make_flask: MakeFlask, settings: Settings) -> None:
    """It is a note, not a warning; a setting that prevents the reading is named."""
    checked = make_flask(settings)("rules", "check", "--strict")
    assert checked.exit_code == 0, checked.output
    assert "read every 5 minutes and needs a site administrator's credentials" in checked.stderr
    for change, reason in (({"reconcile": False}, "RECONCILE is false"), ({"watch_minutes": 0}, "WATCH_MINUTES is 0")):
        checked = make_flask(settings.model_copy(update=change))("rules", "check")
        assert f"Tableau's job list, which is not read ({reason})" in checked.stderr


def test_nothing_is_said_where_no_rule_needs_the_job_list(flask: RunFlask) -> None:
    """Doctor, sync and the check of the rules do not mention it."""
    assert doctor(flask) == []
    assert "job list" not in flask("rules", "check").output + flask("webhooks", "sync", "--url", URL).output


@pytest.mark.usefixtures("with_flows")
def test_doctor_queries_the_job_list(make_flask: MakeFlask, settings: Settings, site: Running) -> None:
    """A refusal is a failure and not an empty list; so is a setting that prevents the reading."""
    flask = make_flask(settings)
    ((state, text),) = doctor(flask)
    assert (state, "FlowRunFailed, SubscriptionFailed" in text) == ("ok", True)
    ((state, text),) = doctor(make_flask(settings.model_copy(update={"reconcile": False})))
    assert (state, "RECONCILE is false" in text) == ("failed", True)
    inject_fault(site, kind="error", target="tableau", path="/jobs", code="403004")
    ((state, text),) = doctor(flask)
    assert (state, "403004" in text) == ("failed", True)


@pytest.mark.usefixtures("with_flows")
def test_refused_reading_is_shown_until_the_next_success(
    services: Services, make_flask: MakeFlask, settings: Settings, site: Running
) -> None:
    """In doctor and, without names, in /readyz, which stays 200: events are accepted."""
    client = create_app(settings).test_client()
    assert "warnings" not in client.get("/readyz").json
    fail_reading(services, site)
    site.world.faults.remove()
    states = [state for state, _ in doctor(make_flask(settings))]
    assert states == ["warning", "ok"]
    ready = client.get("/readyz")
    assert ready.status_code == 200
    (warning,) = ready.json["warnings"]
    assert warning.startswith(
        "Tableau's job list is not read: failures of flows, subscriptions and Bridge go unnoticed"
    )
    assert "403004" not in warning


@pytest.mark.usefixtures("with_flows")
def test_server_without_readings_warns(settings: Settings, inbox: Inbox, caplog: pytest.LogCaptureFixture) -> None:
    """At start, in the log, and in /readyz."""
    off = settings.model_copy(update={"reconcile": False})
    services = Services(off)
    services.worker()
    assert "Job list not read: FlowRunFailed, SubscriptionFailed" in caplog.text
    services.stop()
    assert create_app(off).test_client().get("/readyz").json["warnings"]
    assert inbox.events.list() == []
