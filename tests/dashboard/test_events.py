"""Test the pages about events, dead letters, rules, webhooks, the audit log and tokens."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, services_of
from tests.support.databases import some_event
from webhooks.inbox import Inbox
from webhooks.inbox.events import lists as event_lists
from webhooks.job import JobState, NewJob

NOTIFY = NewJob("R/notify/slack:#bi", "notify", rule="R", params={"to": "slack:#bi"})
RULES = """
[[rule]]
name = "R"
on = "WorkbookCreated"
notify = "slack:#bi"
"""


def receive(inbox: Inbox, number: int, event_type: str = "WorkbookCreated", *jobs: NewJob, **fields: Any) -> int:
    """Receive and plan an event, and return its id."""
    receipt = inbox.events.receive(some_event(number, event_type, **fields))
    inbox.events.plan(lambda _: jobs)
    return receipt.id


def kill(inbox: Inbox, error: str = "channel_not_found") -> None:
    """Let all open jobs die."""
    for job in inbox.jobs.claim("tests", 50, 60):
        inbox.dead_letters.dead_letter(job, error)


def ids(page: str) -> list[int]:
    """Return the ids of the events in a list."""
    return [int(number) for number in re.findall(r'<td><a href="/events/(\d+)"', page)]


def test_events_are_searched_page_by_page(client: FlaskClient, inbox: Inbox) -> None:
    """By type, name, LUID, state and period; newest first, each on one page."""
    for number in range(60):
        receive(
            inbox, number, "WorkbookDeleted" if number % 20 == 0 else "WorkbookCreated", *([NOTIFY] * (number == 7))
        )
    first = client.get("/events").text
    second = client.get(re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")).text
    assert ids(first) + ids(second) == list(range(60, 0, -1))
    assert ids(client.get("/events?type=*Deleted").text) == [41, 21, 1]
    assert ids(client.get("/events?name=sales+7").text) == [8]
    assert ids(client.get("/events?state=ready").text) == [8]
    assert len(ids(client.get("/events?period=1h").text)) == 50
    assert "No event matches" in client.get("/events?type=Nothing").text
    for wrong in ("state=failed", "before=x", "period=x", f"before={'9' * 30}"):
        assert client.get(f"/events?{wrong}").status_code == 400


def test_job_that_was_attempted_has_the_same_state_everywhere(client: FlaskClient, inbox: Inbox) -> None:
    """It is `retrying` after a failure and `waiting` after a wait on purpose, on pages, in commands and for agents."""
    for number in range(3):
        receive(inbox, number, "WorkbookCreated", NOTIFY)
    failed, waiting = inbox.jobs.claim("a worker", 2, 30.0)
    inbox.jobs.postpone(failed, 60, "status 503")
    inbox.jobs.postpone(waiting, 60, "the limit of the channel", free=True)
    words = ["ready", "waiting", "retrying"]
    page = client.get("/events").text
    assert re.findall(r'<span class="badge (\w+)">', page[page.index("<table") :]) == words
    (activity,) = re.findall(r"<dd>(.+)</dd>", client.get("/rules").text.partition("Lately, by rule")[2])[:1]
    assert activity == "1 retrying, 1 waiting, 1 ready"
    listed = client.application.test_cli_runner().invoke(args=["events", "list"]).output
    assert [word for line in listed.splitlines() for word in words if f" {word}" in line] == words
    call = {"name": "search_events", "arguments": {}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    answer = client.post("/mcp", json=request).text
    assert [one for one in re.findall(r"jobs\W+(\w+)", answer) if one in words] == words


def test_a_search_is_bounded(client: FlaskClient, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A search goes further back than the newest events on request only."""
    monkeypatch.setattr(event_lists, "WINDOW", 10)
    for number in range(25):
        receive(inbox, number, "WorkbookDeleted" if number == 2 else "WorkbookCreated")
    page, pages = client.get("/events?type=*Deleted").text, 1
    while not ids(page):
        assert "Searched back to" in page
        page = client.get(re.findall(r'href="([^"]+)" rel="next"', page)[0].replace("&amp;", "&")).text
        pages += 1
    assert (ids(page), pages) == ([3], 3)


def test_event_has_a_page(client: FlaskClient, inbox: Inbox) -> None:
    """It has its payload, duplicates, decisions, jobs and attempts."""
    number = receive(inbox, 1, "WorkbookCreated", NOTIFY)
    inbox.events.receive(some_event(1))
    kill(inbox, "Slack: <b>channel_not_found</b>")
    page = client.get(f"/events/{number}").text
    for text in ("resource_name", "1 duplicate", "notify slack:#bi", "attempt 1: dead", "&lt;b&gt;channel_not_found"):
        assert text in page, text
    assert client.get("/events/99").status_code == 404
    assert client.get(f"/events/{'9' * 30}").status_code == 404


def test_replay_shows_what_it_will_do_first(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """The preview changes nothing; the button queues the jobs, also those of rules that were added, with a row."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    client = make_app(rules_file=file).test_client()
    inbox = services_of(client).inbox
    with_job, without = receive(inbox, 1, "WorkbookCreated", NOTIFY), receive(inbox, 2)
    kill(inbox)
    preview = client.get(f"/events/replay?id={with_job}&id={without}").text
    assert "notify slack:#bi" in preview
    assert "2 times" in preview
    assert inbox.events.get(with_job).jobs[0].job.state is JobState.DEAD  # type: ignore[union-attr]
    assert ids(client.get("/events?state=dead").text) == [with_job]
    numbers = re.findall(r'name="id" value="(\d+)"', preview)
    assert client.post("/events/replay", data={"id": numbers}, headers=SAME_ORIGIN).status_code == 303
    assert inbox.events.get(with_job).jobs[0].job.state is JobState.READY  # type: ignore[union-attr]
    assert [entry.details for entry in inbox.audit.list()] == [f"{with_job}, {without}"]
    assert "2 events" in client.get("/events/replay?type=*Created").text
    for path in ("/events/replay", "/events/replay?id=99", "/events/replay?id=x"):
        assert client.get(path).status_code in {400, 404}
    assert client.post("/events/replay", headers=SAME_ORIGIN).status_code == 400


def test_dead_letters_by_cause(client: FlaskClient, inbox: Inbox) -> None:
    """Those with the same error are one entry, to replay or to dismiss as a whole."""
    for number in range(3):
        receive(inbox, number, "WorkbookCreated", NOTIFY)
    receive(inbox, 4, "WorkbookCreated", NewJob("notice_group/1", "notice_group"))
    kill(inbox)
    other = receive(inbox, 9, "WorkbookCreated", NOTIFY)
    kill(inbox, "account <inactive>")
    page = client.get("/dead-letters").text
    assert "<b>3 jobs</b> of the rule R" in page
    assert "<b>1 job</b> of shared incident message" in page
    assert "account &lt;inactive&gt;" in page
    causes = re.findall(r'action="/dead-letters/dismiss"><input type="hidden" name="cause" value="(\w+)"', page)
    first, group, second = causes
    assert client.post("/dead-letters/dismiss", data={"cause": group}, headers=SAME_ORIGIN).status_code == 303
    assert client.post("/dead-letters/dismiss", data={"cause": first}, headers=SAME_ORIGIN).status_code == 303
    assert inbox.events.get(other).jobs[0].job.state is JobState.CANCELLED  # type: ignore[union-attr]
    assert client.post("/dead-letters/replay", data={"cause": second}, headers=SAME_ORIGIN).status_code == 303
    assert [inbox.events.get(number).jobs[0].job.state for number in (1, 2, 3)] == [JobState.READY] * 3  # type: ignore[union-attr]
    assert "No dead letters" in client.get("/dead-letters").text
    assert client.post("/dead-letters/replay", data={"cause": first}, headers=SAME_ORIGIN).status_code == 404
    assert [entry.act for entry in inbox.audit.list()] == ["replay", "dismiss", "dismiss"]


def test_rules(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    """The text in force, the difference from the version before, and what would happen to a pasted event."""
    file = tmp_path / "rules.toml"
    file.write_text(RULES)
    client = make_app(rules_file=file).test_client()
    versions = services_of(client).inbox.rule_versions
    versions.activate(RULES, "host:/rules.toml")
    versions.activate(RULES.replace("#bi", "#sales<b>"), "host:/rules.toml")
    page = client.get("/rules").text
    assert '<span class="plus">+ notify = &#34;slack:#sales&lt;b&gt;&#34;' in page
    assert "Changes since version 1" in page
    assert "slack:#bi" in client.get("/rules?version=1").text
    assert client.get("/rules?version=9").status_code == 404

    def tried(event: str) -> str:
        return client.post("/rules/try", data={"event": event}, headers=SAME_ORIGIN).text

    page = tried('{"event_type": "WorkbookCreated", "resource": "WORKBOOK", "resource_name": "Sales <b>"}')
    assert "would run: notify slack:#" in page
    message = page.partition('<div class="card message">')[2].partition("</div>\n{%")[0]
    assert "Sales &lt;b&gt;" in message
    assert "Finance/Reports" in message
    assert "would run" not in tried('{"event_type": "WorkbookDeleted"}')
    for wrong in ("{", "[]", '{"event_type": 7}', ""):
        assert 'role="alert"' in tried(wrong)
    assert services_of(client).inbox.events.list() == []


def test_webhooks_without_tableau(client: FlaskClient) -> None:
    """The page shows what is needed; if Tableau cannot be reached, it says so, and a sync is refused."""
    assert "WorkbookRefreshFailed" in client.get("/webhooks").text
    assert "Tableau could not be asked" in client.get("/webhooks?ask=1").text
    assert client.post("/webhooks/sync", headers=SAME_ORIGIN).status_code == 400


def test_audit_page(client: FlaskClient, inbox: Inbox) -> None:
    """It has rows with links to their subjects, page by page, and verifies them."""
    for number in range(60):
        inbox.audit.record(by="<Ann>", origin="page", act="note", subject=f"incident {number % 2}", details="<b>")
    page = client.get("/audit").text
    assert page.count("&lt;Ann&gt;") == 50
    assert 'rel="next"' in page
    assert client.get("/audit?subject=incident+1").text.count("&lt;Ann&gt;") == 30
    assert "60 rows verified" in client.get("/audit?verify=1").text


def test_tokens(protected: FlaskClient) -> None:
    """A token is shown once, has its role and ends when it is revoked or expires."""
    inbox = services_of(protected).inbox
    value = inbox.sign_ins.start(name="Ann", role="admin", address="", password=PASSWORD)
    protected.set_cookie("session", value)
    data = {"name": "Grafana", "role": "viewer", "days": "30"}
    page = protected.post("/tokens", data=data, headers=SAME_ORIGIN).text
    (token,) = re.findall(r"twh_[\w-]+", page)
    assert token not in protected.get("/tokens", headers={"X-Poll": "1"}).text
    program = protected.application.test_client()
    bearer = {"Authorization": f"Bearer {token}"}
    assert program.get("/", headers=bearer).status_code == 200
    assert program.get("/tokens", headers=bearer).status_code == 403
    for wrong in ({"name": ""}, {"role": "root"}, {"role": "public"}, {"days": "0"}, {"days": "-1"}, {"days": "4000"}):
        assert protected.post("/tokens", data={**data, **wrong}, headers=SAME_ORIGIN).status_code == 400
    assert protected.post("/tokens/1/revoke", headers=SAME_ORIGIN).status_code == 303
    assert program.get("/", headers=bearer).status_code == 401
    short = inbox.sign_ins.create_token(name="x", role="admin", by="Ann", seconds=-1)
    assert program.get("/", headers={"Authorization": f"Bearer {short}"}).status_code == 401
    assert [entry.act for entry in inbox.audit.list()] == ["revoke token", "create token"]
