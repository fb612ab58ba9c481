"""Test the signed links in messages that several incidents share: the page lists them, and its form acts on them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.dashboard.conftest import PASSWORD, SAME_ORIGIN, SITE, fail
from tests.dashboard.test_act_links import ELSEWHERE, SECRET
from webhooks.clock import utc_now
from webhooks.event import parse
from webhooks.inbox import Inbox
from webhooks.incidents import Act, DestinationPolicy, IncidentFilter, Policy
from webhooks.job import JOINT_ACT, NewJob
from webhooks.messages.act_links import LinkMaker

ANN = "email:ann@example.org"


@pytest.fixture
def client(make_app: Callable[..., Flask]) -> FlaskClient:
    app = make_app(admin_password=PASSWORD, link_secret=SECRET, public_url="https://hooks.example")
    client = app.test_client()
    client.environ_base |= ELSEWHERE
    return client


def share(inbox: Inbox, names: Sequence[str], to: str = ANN) -> int:
    """Let content fail at once, and return the number of the message that its incidents share."""
    records = [fail(inbox, name, project="Finance") for name in names]
    event = parse(json.dumps({"event_type": "LabelCreated", "site_luid": SITE, "text": to}).encode())
    assert event
    inbox.events.receive(event)
    inbox.events.plan(lambda _: [NewJob("k", "notify")])
    (job,) = inbox.jobs.claim("me", 1, 900)
    notices = [inbox.notices.register(one.id, to, Policy("F", (DestinationPolicy(to),))) for one in records]
    for _ in range(2):
        placed = [inbox.notice_groups.place(notice, job) for notice in notices]
    (group_id,) = {one.group_id for one in placed[1:]}
    assert group_id
    return group_id


def path_of(inbox: Inbox, group_id: int, label: str = "Acknowledge all", to: str = ANN) -> str:
    """Return the path of a link in the message."""
    group = inbox.notice_groups.get(group_id)
    assert group
    links = LinkMaker(to, SECRET, "https://hooks.example").links({"open"}, group_id, group.name, utc_now())
    return urlsplit(next(link.url for link in links if link.label == label)).path


def states(inbox: Inbox) -> dict[str, str]:
    """Return the states after the jobs of the acts."""
    for job in inbox.jobs.claim("me", 10, 900):
        if job.handler == JOINT_ACT:
            inbox.incidents.acted(job.params["incidents"], cause=f"joint act {job.id}")
    return {one.incident.resource_name: one.incident.state for one in inbox.incidents.list()}


def test_all_that_are_listed_are_acknowledged_once(client: FlaskClient, inbox: Inbox) -> None:
    """Opening the link changes nothing; the form acts on the selected incidents, each with a row of the audit log."""
    group_id = share(inbox, ["A <b>", "B", "C", "D"])
    path = path_of(inbox, group_id)
    page = client.get(path).text
    listed = re.findall(r'name="id" value="(\d+)" checked', page)
    assert "B</b>" in page
    assert "C</b>" in page
    assert "As ann@example.org." in page
    assert "Finance" in page
    members = inbox.notice_groups.members(group_id)
    assert sorted(map(int, listed)) == sorted(record.id for _, record in members)
    assert set(states(inbox).values()) == {"open"}
    # One is left out, and one that another message shows cannot be added.
    other = fail(inbox, "Elsewhere")
    kept, *marked = sorted(map(int, listed))
    done = client.post(path, headers=SAME_ORIGIN, data={"id": [*marked, other.id, "x", "²", "9" * 5000]})
    assert (done.status_code, f"Acknowledged: {len(marked)} incidents." in done.text) == (200, True)
    after = states(inbox)
    assert after["Elsewhere"] == "open"
    assert sorted(after.values()).count("acknowledged") == len(marked)
    rows = [row for row in inbox.audit.list() if row.act == "acknowledge"]
    assert {(row.by, row.origin) for row in rows} == {("ann@example.org", f"link {ANN}")}
    assert sorted(row.subject for row in rows) == sorted(f"incident {number}" for number in marked)
    again = client.post(path, headers=SAME_ORIGIN, data={"id": marked})
    assert "Acknowledged:" not in again.text
    assert len([row for row in inbox.audit.list() if row.act == "acknowledge"]) == len(marked)
    assert client.post(path, headers=SAME_ORIGIN, data={"id": [kept]}).status_code == 200
    states(inbox)
    for response in (client.get(path), client.post(path, headers=SAME_ORIGIN, data={"id": marked})):
        assert "Nothing is left to do." in response.text


def test_snooze_leaves_acknowledged_ones(client: FlaskClient, inbox: Inbox) -> None:
    """Snooze all is about those that are open; a person who is one of several gives a name."""
    group_id = share(inbox, ["A", "B", "C"], to="teams:bi")
    first = inbox.notice_groups.members(group_id)[0][1]
    inbox.incidents.act(first.id, Act("", "acknowledge", "", utc_now(), "Ben"))
    path = path_of(inbox, group_id, "Snooze all 1 h", to="teams:bi")
    page = client.get(path).text
    assert "acknowledged by Ben" in page
    chosen = re.findall(r'name="id" value="(\d+)" checked', page)
    assert str(first.id) not in chosen
    assert client.post(path, headers=SAME_ORIGIN, data={"id": chosen}).status_code == 400
    assert client.post(path, headers=SAME_ORIGIN, data={"name": "Cleo"}).status_code == 400
    done = client.post(path, headers=SAME_ORIGIN, data={"name": "Cleo", "id": [*chosen, first.id]})
    assert f"Snoozed for one hour: {len(chosen)} incident" in done.text
    assert sorted(states(inbox).values()) == sorted(["acknowledged", *["snoozed"] * len(chosen)])
    assert {one.incident.quiet_by for one in inbox.incidents.list(IncidentFilter(states=["snoozed"]))} == {"Cleo (bi)"}


def test_links_of_other_messages_are_refused(client: FlaskClient, inbox: Inbox) -> None:
    """The link of another server's message with the same number, and that of a message that is gone: 404, no act."""
    group_id = share(inbox, ["A", "B", "C"])
    group = inbox.notice_groups.get(group_id)
    assert group
    maker = LinkMaker(ANN, SECRET, "https://hooks.example")
    earlier = replace(group, created_at=group.created_at.replace(year=2020))
    for number, name in ((group_id, earlier.name), (group_id + 7, group.name), (group_id, "group ")):
        path = urlsplit(maker.links({"open"}, number, name, utc_now())[0].url).path
        for response in (client.get(path), client.post(path, headers=SAME_ORIGIN, data={"id": "1"})):
            assert response.status_code == 404
    assert client.post(path_of(inbox, group_id), data={"id": "1"}).status_code == 403
    assert set(states(inbox).values()) == {"open"}
