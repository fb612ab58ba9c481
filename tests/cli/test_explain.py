"""`flask events explain`: why, and why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.cli.conftest import Receive, Run, objects
from webhooks.context import CONDITIONS
from webhooks.inbox import Inbox
from webhooks.job import Job, NewJob
from webhooks.services import Services

Claim = Callable[[], list[Job]]


def lines(flask: Run, event_id: int) -> list[list[str]]:
    """The explanation's lines, each in its columns."""
    text = flask("events", "explain", event_id).stdout
    return [[cell.strip() for cell in line.strip().split("  ") if cell.strip()] for line in text.splitlines()]


def test_explain_tells_of_every_rule(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """Which rules matched and why, what became of their jobs, and which rules did not match."""
    event_id = receive()
    slack, sms = claim()
    inbox.finish(slack)
    inbox.bury(sms, "21211 not a valid number")
    head, finance, done, dead, published = lines(flask, event_id)
    assert head[:3] == [str(event_id), "WorkbookRefreshFailed", "Finance 2026"]
    assert finance == ["Finance failures", "matched", "resource_name Finance 2026 ~ Finance*"]
    assert done[:2] == ["notify slack:#finance", "done"]
    assert done[2].startswith("1 attempt, ")
    assert dead == ["notify twilio:+15550100", "dead", "21211 not a valid number (permanent)"]
    assert published == ["Published", "no", "not one of its events"]


def test_explain_of_an_ignored_event_says_why_nothing_happened(flask: Run, receive: Receive, claim: Claim) -> None:
    """The condition that did not hold is named."""
    event_id = receive(resource_name="Sales")
    claim()
    head, finance, _ = lines(flask, event_id)
    assert head[-1] == "accepted, no rule or handler wanted it"
    assert finance == ["Finance failures", "no", "resource_name is Sales, not Finance*"]


def test_explain_before_planning_says_what_will_be(flask: Run, receive: Receive) -> None:
    """An event that no worker has seen yet shows the jobs it will make."""
    event_id = receive("WorkbookCreated")
    text = lines(flask, event_id)
    assert text[0][-1] == "accepted, not planned yet"
    assert ["notify console", "ready", "will be made when a worker plans the event"] in text


def test_explain_tells_of_rules_that_changed_since(
    flask: Run, receive: Receive, claim: Claim, services: Services, rules_file: Path
) -> None:
    """Jobs of a rule that is gone are shown as such; a rule that is new offers a replay."""
    event_id = receive()
    claim()
    del services.rules
    rules_file.write_text('[[rule]]\nname = "New"\non = "*Failed"\nnotify = "console"\n', encoding="utf-8")
    text = lines(flask, event_id)
    assert ["Finance failures", "gone", "no longer in the rules"] in text
    assert text[2][:2] == ["notify console", "not made"]
    assert f"flask events replay {event_id}" in text[2][2]


def test_explain_with_a_broken_rules_file_still_shows_jobs(
    flask: Run, receive: Receive, claim: Claim, services: Services, rules_file: Path
) -> None:
    """The fault is told on stderr; what was done is told all the same."""
    event_id = receive()
    claim()
    del services.rules
    rules_file.write_text("[[rule]\n", encoding="utf-8")
    result = flask("events", "explain", event_id)
    assert result.exit_code == 0
    assert "not TOML" in result.stderr
    assert "notify slack:#finance" in result.stdout


def test_explain_tells_when_a_job_is_tried_again(flask: Run, receive: Receive, claim: Claim, inbox: Inbox) -> None:
    """A job that failed says which attempt comes when, and what was wrong."""
    event_id = receive()
    job = claim()[0]
    inbox.postpone(job, 300, "Slack answered status 503")
    (line,) = [line for line in lines(flask, event_id) if line[0] == "notify slack:#finance"]
    assert line[1] == "ready"
    assert line[2].startswith("attempt 2 of 20 in ")
    assert line[2].endswith("; Slack answered status 503")


def test_explain_of_a_job_that_was_skipped_gives_the_reason(
    flask: Run, receive: Receive, claim: Claim, inbox: Inbox
) -> None:
    """Skipped: the condition that only Tableau could answer did not hold."""
    event_id = receive()
    inbox.skip(claim()[0], "project is Sales, not Finance*")
    assert ["notify slack:#finance", "skipped", "project is Sales, not Finance*"] in lines(flask, event_id)


def test_explain_tells_what_tableau_was_asked(
    flask: Run, receive: Receive, claim: Claim, inbox: Inbox, rules_file: Path
) -> None:
    """A condition on the project is open at first; later it reads as the job found it."""
    rules_file.write_text(
        '[[rule]]\nname = "R"\non = "*Failed"\nwhere = { name = "F*", project = "Fin*" }\nnotify = "console"\n',
        encoding="utf-8",
    )
    event_id = receive()
    (job,) = claim()
    assert ["R", "matched", "resource_name Finance 2026 ~ F*; if project ~ Fin*"] in lines(flask, event_id)
    inbox.record(job, CONDITIONS, "project Finance/Reports ~ Fin*")
    inbox.finish(job)
    assert ["R", "matched", "resource_name Finance 2026 ~ F*; project Finance/Reports ~ Fin*"] in lines(flask, event_id)


def test_explain_shows_a_failed_planning(flask: Run, receive: Receive, inbox: Inbox) -> None:
    """When the rules themselves broke, the error is there to read."""
    event_id = receive()

    def broken(_: object) -> list[NewJob]:
        raise ZeroDivisionError("in a handler's condition")

    inbox.plan(broken)
    assert any("ZeroDivisionError: in a handler's condition" in " ".join(line) for line in lines(flask, event_id))


def test_explain_tells_who_heard_of_a_dead_job(flask: Run, receive: Receive, services: Services, inbox: Inbox) -> None:
    """The announcement of a dead job stands apart from rules."""
    event_id = receive("WorkbookCreated")
    services.worker()
    inbox.plan(services.matching)
    (job,) = inbox.claim("host:1:test", 1, 60)
    inbox.bury(job, "in vain")
    text = lines(flask, event_id)
    assert text[-2] == ["dead letters", "told", "somebody, about jobs that died"]
    assert text[-1][:2] == ["dead_letters default", "ready"]


def test_explain_json_adds_the_verdicts(flask: Run, receive: Receive, claim: Claim) -> None:
    """One object: the event as everywhere, and what each rule made of it."""
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
