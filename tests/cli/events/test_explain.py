"""Test `flask events explain`: why an event led to its jobs, or to none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import SecretStr

from tests.cli.conftest import Receive, Run, objects
from webhooks.clock import utc_now
from webhooks.context import CONDITIONS
from webhooks.event import build
from webhooks.inbox import Inbox
from webhooks.incidents import Act, DestinationPolicy, Policy
from webhooks.job import Job
from webhooks.planner import failed_plan
from webhooks.services import Services

Claim = Callable[[], list[Job]]


def lines(flask: Run, event_id: int) -> list[list[str]]:
    """Return the lines of the explanation, each as a list of its columns."""
    text = flask("events", "explain", event_id).stdout
    return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in text.splitlines()]


def test_every_rule_is_explained(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """The explanation has the rules that matched and why, the outcome of their jobs, and the other rules."""
    event_id = receive()
    slack, sms = claim()
    inbox.jobs.finish(slack)
    inbox.dead_letters.dead_letter(sms, "21211 not a valid number")
    head, finance, done, dead, published = lines(flask, event_id)
    assert head[:3] == [str(event_id), "WorkbookRefreshFailed", "Finance 2026"]
    assert finance == ["Finance failures", "matched", "resource_name Finance 2026 ~ Finance*"]
    assert done[:2] == ["notify slack:#finance", "done"]
    assert done[2].startswith("1 attempt, ")
    assert dead == ["notify twilio:+15550100", "dead", "21211 not a valid number (permanent)"]
    assert published == ["Published", "no", "event type does not match"]


def test_the_explanation_of_an_ignored_event_has_the_reason(flask: Run, receive: Receive, claim: Claim) -> None:
    """The condition that was not met is named."""
    event_id = receive(resource_name="Sales")
    claim()
    head, finance, _ = lines(flask, event_id)
    assert head[-1] == "accepted, no rule or handler matched"
    assert finance == ["Finance failures", "no", "resource_name is Sales, not Finance*"]


def test_an_unplanned_event_shows_the_jobs_to_come(flask: Run, receive: Receive) -> None:
    """An event that no worker has planned yet shows the jobs that will be created."""
    event_id = receive("WorkbookCreated")
    text = lines(flask, event_id)
    assert text[0][-1] == "accepted, not planned yet"
    assert ["notify console", "ready", "created when a worker plans the event"] in text


def test_changed_rules_are_explained(
    flask: Run, receive: Receive, claim: Claim, services: Services, rules_file: Path
) -> None:
    """Jobs of a removed rule are shown as such; for a new rule a replay is proposed."""
    event_id = receive()
    claim()
    del services.active_rules
    rules_file.write_text('[[rule]]\nname = "New"\non = "*Failed"\nnotify = "console"\n', encoding="utf-8")
    text = lines(flask, event_id)
    assert ["Finance failures", "removed", "no longer in the rules"] in text
    assert text[2][:2] == ["notify console", "not made"]
    assert f"flask events replay {event_id}" in text[2][2]


def test_jobs_are_shown_in_spite_of_an_invalid_rules_file(
    flask: Run, receive: Receive, claim: Claim, services: Services, rules_file: Path
) -> None:
    """The error in the file is printed on stderr, the jobs on stdout."""
    event_id = receive()
    claim()
    del services.active_rules
    rules_file.write_text("[[rule]\n", encoding="utf-8")
    result = flask("events", "explain", event_id)
    assert result.exit_code == 0
    assert "not TOML" in result.stderr
    assert "notify slack:#finance" in result.stdout


def test_a_retrying_job_has_its_failed_attempts_and_the_next_time(
    flask: Run, receive: Receive, claim: Claim, inbox: Inbox
) -> None:
    """A job that failed shows how often, when the next attempt is due, and the last error."""
    event_id = receive()
    job = claim()[0]
    inbox.jobs.postpone(job, 300, "Slack: status 503")
    (line,) = [line for line in lines(flask, event_id) if line[0] == "notify slack:#finance"]
    assert line[1] == "retrying"
    assert line[2].startswith("1 failed attempt, next in ")
    assert line[2].endswith("; Slack: status 503")


def test_a_skipped_job_has_its_reason(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """A job is skipped with the condition that only Tableau could answer and that was not met."""
    event_id = receive()
    inbox.jobs.skip(claim()[0], "project is Sales, not Finance*")
    assert ["notify slack:#finance", "skipped", "project is Sales, not Finance*"] in lines(flask, event_id)


def test_the_answer_of_tableau_replaces_the_open_condition(
    flask: Run, receive: Receive, claim: Claim, inbox: Inbox, rules_file: Path
) -> None:
    """A condition on the project is open until the job has asked Tableau, then it has the project."""
    rules_file.write_text(
        '[[rule]]\nname = "R"\non = "*Failed"\nwhere = { name = "F*", project = "Fin*" }\nnotify = "console"\n',
        encoding="utf-8",
    )
    event_id = receive()
    (job,) = claim()
    assert ["R", "matched", "resource_name Finance 2026 ~ F*; if project ~ Fin*"] in lines(flask, event_id)
    inbox.checkpoints.set(job, CONDITIONS, "project Finance/Reports ~ Fin*")
    inbox.jobs.finish(job)
    assert ["R", "matched", "resource_name Finance 2026 ~ F*; project Finance/Reports ~ Fin*"] in lines(flask, event_id)


def test_a_failed_planning_is_explained(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """The error is shown if the evaluation of the rules failed."""
    event_id = receive()
    inbox.events.plan(lambda _: failed_plan(ZeroDivisionError("in a handler's condition")).jobs)
    assert any("ZeroDivisionError: in a handler's condition" in " ".join(line) for line in lines(flask, event_id))


def test_the_dead_letter_notice_is_explained(flask: Run, receive: Receive, services: Services, inbox: Inbox) -> None:
    """The job that reports a dead job is shown apart from the rules."""
    event_id = receive("WorkbookCreated")
    services.worker()
    inbox.events.plan(services.planner.jobs)
    (job,) = inbox.jobs.claim("host:1:test", 1, 60)
    inbox.dead_letters.dead_letter(job, "channel_not_found")
    assert lines(flask, event_id)[-2] == ["dead letters", "pending", "report of dead jobs"]
    assert lines(flask, event_id)[-1][:2] == ["report of dead jobs default", "ready"]
    (notice,) = inbox.jobs.claim("host:1:test", 1, 60)
    inbox.dead_letters.dead_letter(notice, "not_authed")
    assert lines(flask, event_id)[-2][:2] == ["dead letters", "failed"]


def test_the_dead_letter_notice_is_explained_when_it_was_sent(
    flask: Run, receive: Receive, services: Services, inbox: Inbox
) -> None:
    """Only a notice that was sent counts as a notification."""
    event_id = receive("WorkbookCreated")
    services.worker()
    inbox.events.plan(services.planner.jobs)
    (job,) = inbox.jobs.claim("host:1:test", 1, 60)
    inbox.dead_letters.dead_letter(job, "channel_not_found")
    (notice,) = inbox.jobs.claim("host:1:test", 1, 60)
    inbox.jobs.finish(notice)
    assert lines(flask, event_id)[-2][:2] == ["dead letters", "notified"]


def test_press_of_a_button_is_explained(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """The job that answers a person who pressed a button is shown apart from the rules."""
    event_id = receive("WorkbookRefreshFailed")
    inbox.events.plan(lambda _: [])
    inbox.presses.record("1", 1, "of another server", {"action": "incident_why"})
    assert ["Button", "matched", "a person pressed it in Slack, and gets an answer"] in lines(flask, event_id)
    assert ["Slack button why", "ready"] in [line[:2] for line in lines(flask, event_id)]


def test_json_has_the_verdicts(flask: Run, receive: Receive, claim: Claim) -> None:
    """There is one object: the event, and the decision of each rule about it."""
    event_id = receive()
    jobs = claim()
    (event,) = objects(flask("events", "explain", event_id, "--json").stdout)
    assert event["id"] == event_id
    finance, published = event["explanation"]
    assert (finance["name"], finance["verdict"], finance["jobs"]) == (
        "Finance failures",
        "matched",
        [job.id for job in jobs],
    )
    assert (published["verdict"], published["jobs"]) == ("no", [])


def test_an_alert_of_the_monitor_is_explained(flask: Run, services: Services, inbox: Inbox, claim: Claim) -> None:
    """The jobs of an alert belong to the monitor, not to a removed rule."""
    alert = build("WebhooksDrifted", origin="monitor", resource_name="Drift", resource_luid="monitor-1")
    event_id = inbox.synthetic_events.add(alert, "monitor", utc_now()).id
    claim()
    (part,) = objects(flask("events", "explain", event_id, "--json").stdout)[0]["explanation"]
    assert (part["kind"], part["verdict"], part["reason"]) == ("monitor", "matched", "an alert of the monitor")
    assert len(part["jobs"]) == 1
    assert part["unmade"] == []


def test_an_event_whose_reconciled_twin_ran_is_explained(
    flask: Run, receive: Receive, services: Services, inbox: Inbox, claim: Claim
) -> None:
    """The twin is named, and no replay is promised that would create nothing."""
    settings = services.settings.model_copy(
        update={"webhook_url": "https://h.example.org", "tableau_domain": "t", "tableau_pat_name": "n"}
        | {"tableau_pat_secret": SecretStr("secret")}
    )
    object.__setattr__(services, "settings", settings)
    at = "2026-01-31T09:30:00Z"
    twin = build("WorkbookRefreshFailed", origin="reconciled", resource_luid="l-1", resource_name="Finance 1")
    twin_id = inbox.synthetic_events.add(twin, "reconciled", datetime.fromisoformat(at)).id
    event_id = receive(resource_luid="l-1", resource_name="Finance 1", created_at=at)
    claim()
    result = flask("events", "explain", event_id)
    assert f"event {twin_id}" in result.stdout
    assert "replay" not in result.stdout
    (shown,) = objects(flask("events", "explain", event_id, "--json").stdout)
    assert [(part["kind"], part["verdict"], part["unmade"]) for part in shown["explanation"]] == [
        ("reconciled", "replaced", [])
    ]
    assert (shown["state"], shown["jobs"]) == ("ignored", [])


def test_a_recovery_explains_what_it_updates(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """The success of a refresh that failed matches no rule, and the messages that it updates are shown."""
    receive()
    claim()
    (incident,) = inbox.incidents.list()
    policy = Policy(rule="Finance failures", destinations=(DestinationPolicy("slack:#finance"),))
    inbox.notices.register(incident.id, "slack:#finance", policy)
    event_id = receive("WorkbookRefreshSucceeded")
    for update in claim():
        inbox.jobs.finish(update)
    inbox.incidents.act(incident.id, Act("", "note", "", utc_now(), "Ann"))
    for job in claim():
        inbox.jobs.finish(job)
    head, *rules, updated, job = lines(flask, event_id)
    assert head[-1] == "accepted"
    assert [line[1:] for line in rules] == [["no", "event type does not match"]] * 2
    assert updated == ["Incident", "matched", "it changed; its messages are brought up to date"]
    assert job[:2] == ["incident message slack:#finance", "done"]
    listed = flask("events", "list").stdout
    assert "done" in listed
    assert "2 done" not in listed
