"""Test the lists of incidents and of content, and the badge."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import insert, update

from tests.dashboard.conftest import SAME_ORIGIN, SITE, fail
from webhooks.clock import utc_now
from webhooks.inbox import Inbox, Resource
from webhooks.inbox.notices.tables import notice_groups, notices
from webhooks.inbox.resources.downstream import DependentWorkbook
from webhooks.incidents import Act, DestinationPolicy, IncidentFilter, Policy, RunEvidence
from webhooks.watches.expectation import Expectation

LUID = "e3417f6a-1c11-4a07-9f2e-0d3b5a6c7d8e"


def run(
    inbox: Inbox, luid: str, hours: float, outcome: Any = "succeeded", *, minutes: float = 5, name: str = ""
) -> None:
    """Record a run that ended some hours ago."""
    ended = utc_now() - timedelta(hours=hours)
    inbox.incidents.learn(
        RunEvidence(
            source="job list",
            site_luid=SITE,
            resource_luid=luid,
            resource_kind="workbook",
            resource_name=name or f"Workbook {luid[:2]}",
            outcome=outcome,
            recorded_at=ended,
            started_at=ended - timedelta(minutes=minutes),
            ended_at=ended,
            reason="Disk full" if outcome == "failed" else "",
            job_luid=f"{luid[:2]}-{hours}",
        )
    )


def names(page: str) -> list[str]:
    """Return the names of the content in a list."""
    return re.findall(r'<td><a href="/(?:incidents|resources)/[^"]+">([^<]+)</a>', page)


def test_incidents_are_filtered_by_the_url(client: FlaskClient, inbox: Inbox) -> None:
    """Each filter is a chip that can be removed; those that need someone come first."""
    sales = fail(inbox, "Sales", project="Finance/Daily", owner="Ann (ann@a.example)")
    fail(inbox, "Orders", project="Operations", owner="Ben (ben@a.example)")
    inbox.incidents.act(sales.id, Act("", "acknowledge", "", utc_now(), "Ann"))
    assert names(client.get("/incidents").text) == ["Orders", "Sales"]
    assert names(client.get("/incidents?state=open").text) == ["Orders"]
    assert names(client.get("/incidents?project=Daily").text) == ["Sales"]
    assert names(client.get("/incidents?owner=ben").text) == ["Orders"]
    page = client.get("/incidents?name=ale&project=Finance*").text
    assert names(page) == ["Sales"]
    assert 'href="/incidents?name=ale" aria-label="Remove the filter project Finance*"' in page
    assert 'href="/incidents?project=Finance%2A" aria-label="Remove the filter name ale"' in page
    assert "No open incident matches" in client.get("/incidents?name=nothing").text
    # A number that Python does not convert.
    assert client.get(f"/audit?before={'9' * 5000}").status_code == 400
    for wrong in ("period=forever&view=closed", "before=x&view=closed", f"name={'x' * 201}"):
        assert client.get(f"/incidents?{wrong}").status_code == 400


def test_recovered_incidents_come_page_by_page(client: FlaskClient, inbox: Inbox) -> None:
    """A link leads to the earlier ones, and each is on one page."""
    for number in range(52):
        record = fail(inbox, f"Sales {number}")
        inbox.incidents.act(record.id, Act("", "close", "", utc_now(), "Ann"))
    first = client.get("/incidents?view=closed").text
    more = re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")
    second = client.get(more).text
    assert len(names(first)) == 50
    assert sorted(names(first) + names(second)) == sorted(f"Sales {number}" for number in range(52))
    assert 'rel="next"' not in second


def test_all_incidents_of_a_message_are_listed(
    client: FlaskClient, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link of a message that has no room for all leads to each of its incidents, page by page, and to no other."""
    monkeypatch.setattr("webhooks.dashboard.pages.incidents.MOST_OPEN", 4)
    policy = Policy("Finance", (DestinationPolicy("slack:#bi"),))
    records = [fail(inbox, f"Sales {number}") for number in range(10)]
    noticed = [inbox.notices.register(record.id, "slack:#bi", policy).id for record in records[:9]]
    group = {"id": 7, "destination": "slack:#bi", "kind": "storm", "wanted": 1, "joined_at": 0, "created_at": 0}
    inbox.store.execute(insert(notice_groups).values(group))
    inbox.store.execute(update(notices).where(notices.c.id.in_(noticed)).values(group_id=7))
    inbox.incidents.act(records[0].id, Act("", "close", "", utc_now(), "Ann"))

    def pages(url: str) -> list[str]:
        found = []
        while url:
            page = client.get(url).text
            assert len(names(page)) <= 4
            found += names(page)
            url = "".join(re.findall(r'href="([^"]+)" rel="next"', page)).replace("&amp;", "&")
        return sorted(found)

    assert pages("/incidents?group=7") == [f"Sales {number}" for number in range(9)]
    assert pages("/incidents?group=7&state=acknowledged") == []
    assert pages("/incidents") == [f"Sales {number}" for number in range(1, 10)]
    page = {"all": "1", "act": "acknowledge", "group": "7", "after": "4"}
    assert client.post("/incidents/acts", data=page, headers=SAME_ORIGIN).status_code == 303
    # Four on the second page.
    assert len(inbox.incidents.list(IncidentFilter(states=["acknowledged"]))) == 4
    assert [client.get(f"/incidents?{bad}").status_code for bad in ("group=x", "after=-1", f"after={2**63 - 1}")] == [
        400,
        400,
        200,
    ]


def test_acts_about_several_incidents(client: FlaskClient, inbox: Inbox) -> None:
    """The selected ones, or all that the filters select, are acknowledged, each with a row of the audit log."""
    ids = [fail(inbox, f"Sales {number}").id for number in range(3)]
    other = fail(inbox, "Orders").id

    def post(**data: Any) -> int:
        return client.post("/incidents/acts", data=data, headers=SAME_ORIGIN).status_code

    assert post(act="acknowledge", id=[str(ids[0])]) == 303
    states = {record.id: record.incident.state for record in inbox.incidents.list()}
    assert [states[number] for number in (*ids, other)] == ["acknowledged", "open", "open", "open"]
    assert post(act="acknowledge", all="1", name="sales") == 303
    states = {record.id: record.incident.state for record in inbox.incidents.list()}
    assert [states[number] for number in (*ids, other)] == ["acknowledged"] * 3 + ["open"]
    # The first one was acknowledged by the same person before.
    assert len([entry for entry in inbox.audit.list() if entry.act == "acknowledge"]) == 3
    assert post(act="acknowledge") == 400
    assert post(act="note", id=["1"]) == 404
    assert post(act="acknowledge", id=["99"]) == 404


def test_silences(client: FlaskClient, inbox: Inbox) -> None:
    """A silence needs a reason and something to match; it is listed and can be ended; both leave rows."""
    assert client.post("/silences", data={"project": "Finance*", "for": "4h"}, headers=SAME_ORIGIN).status_code == 400
    assert client.post("/silences", data={"reason": "x", "for": "4h"}, headers=SAME_ORIGIN).status_code == 400
    data = {"project": "Finance*", "for": "4h", "reason": "database upgrade"}
    assert client.post("/silences", data=data, headers=SAME_ORIGIN).status_code == 303
    assert "project=Finance*" in client.get("/incidents").text
    assert client.post("/silences/1/end", headers=SAME_ORIGIN).status_code == 303
    assert client.post("/silences/1/end", headers=SAME_ORIGIN).status_code == 404
    assert "database upgrade" not in client.get("/incidents").text
    assert [entry.act for entry in inbox.audit.list()] == ["end silence", "add silence"]


def test_content_is_listed_with_its_runs(client: FlaskClient, inbox: Inbox) -> None:
    """By name, with the number of runs and failures, usual time, project and owner; failing ones alone on request."""
    inbox.resources.save([Resource(f"01{LUID[2:]}", "workbook", SITE, "A", "Ann (ann@a.example)", "Finance/Daily")])
    for hours in range(30, 0, -1):
        run(inbox, f"01{LUID[2:]}", hours, "failed" if hours == 20 else "succeeded", name="A")
        run(inbox, f"02{LUID[2:]}", hours, "failed" if hours < 3 else "succeeded", minutes=hours, name="B")
    page = client.get("/resources").text
    assert names(page) == ["A", "B"]
    assert "30 runs, 1 failed" in page
    assert "5 min" in page
    assert "Finance / Daily" in page
    assert names(client.get("/resources?view=failing").text) == ["B"]
    assert names(client.get("/resources?project=Finance*").text) == ["A"]
    assert names(client.get("/resources?name=b").text) == ["B"]


def test_content_comes_page_by_page(inbox: Inbox, client: FlaskClient) -> None:
    """Content with the same name is on one page each, too."""
    for number in range(30):
        run(inbox, f"{number:02}{LUID[2:]}", 1, name="Same")
    first = client.get("/resources").text
    second = client.get(re.findall(r'href="([^"]+)" rel="next"', first)[0].replace("&amp;", "&")).text
    links = re.findall(r'<td><a href="(/resources/[^"]+)"', first + second)
    assert len(set(links)) == len(links) == 30


def test_content_has_a_page(client: FlaskClient, inbox: Inbox) -> None:
    """It has outcomes and durations, strikes, the usual time, incidents and a badge."""
    for day in range(10, 0, -1):
        run(inbox, LUID, 24 * day, minutes=40 if day == 4 else 8)
    run(inbox, LUID, 2, "failed")
    run(inbox, LUID, 1, "failed")
    page = client.get(f"/resources/{LUID}").text
    for text in (
        "2 of 5",
        "8 min",
        "slower than usual 1 time",
        "Disk full",
        "10 succeeded, 2 failed, 1 slow",
        "Acknowledge",
    ):
        assert text in page, text
    (path,) = set(re.findall(r'src="(/badge/[^"]+)', page))
    badge = client.get(path, environ_base={"REMOTE_ADDR": "10.0.0.7"})
    assert (badge.status_code, badge.mimetype) == (200, "image/svg+xml")
    assert len(badge.data) < 2048
    assert "delayed since" in badge.text
    assert badge.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert client.get(f"/resources/{LUID[:-1]}x").status_code == 404


def test_badge_needs_its_signature(client: FlaskClient, inbox: Inbox) -> None:
    """The address of one badge does not give those of others."""
    run(inbox, LUID, 1)
    (path,) = set(re.findall(r'src="(/badge/[^"]+)', client.get(f"/resources/{LUID}").text))
    assert client.get(path).status_code == 200
    assert "delayed" not in client.get(path).text
    forged = path.replace("-0d3b", "-0d3c")
    for wrong in (forged, f"{path[:-5]}.svg", path.upper().replace("/BADGE", "/badge"), "/badge/-.svg"):
        assert client.get(wrong).status_code == 404


def test_content_shows_its_promise_by_month(client: FlaskClient, inbox: Inbox) -> None:
    """The share of days on which the data was fresh by the declared time, the newest month first; late is not kept."""
    run(inbox, LUID, 1)
    first = utc_now().replace(day=1, hour=12, minute=0, second=0, microsecond=0)
    days = [first - timedelta(days=day) for day in range(1, 5)]
    times = [Expectation(f"declared Morning figures {LUID}", LUID, "workbook", day) for day in days]
    times += [
        Expectation(f"declared Morning figures {LUID}", LUID, "workbook", first),
        Expectation(f"task-1 {LUID}", LUID, "workbook", first),
    ]
    inbox.expected_runs.announce(SITE, times, first - timedelta(days=9), tasks=["task-1"])
    due = inbox.expected_runs.due(SITE, first)
    early, late = timedelta(minutes=-5), timedelta(minutes=5)
    came = [first + early, days[0] + early, days[1] + late, days[2] + early]
    outcomes: dict[int | None, Any] = {}
    for one in due:
        if one.is_declared:
            at = next((at for at in came if abs(at - one.at) <= late), None)
            outcomes[one.id] = ("came", at) if at else ("missed", None)
    inbox.expected_runs.settle(outcomes)
    page = client.get(f"/resources/{LUID}").text
    assert re.findall(r"<dt>(\w+ \d+)</dt><dd>(\d+) % <small>(\d of \d days?)", page) == [
        (f"{first:%B %Y}", "100", "1 of 1 day"),
        (f"{days[0]:%B %Y}", "50", "2 of 4 days"),
    ]
    assert "fresh by 12:00" in page
    assert "by 12:00, Morning figures" in page


def test_data_source_shows_which_workbooks_use_it(client: FlaskClient, inbox: Inbox) -> None:
    """As a job has stored them: the first ten by name, and the others on request."""
    facts: Any = {"site_luid": SITE, "resource_luid": LUID, "resource_kind": "datasource", "resource_name": "Orders"}
    at = utc_now()
    inbox.incidents.learn(RunEvidence(**facts, source="job list", outcome="succeeded", recorded_at=at, ended_at=at))
    assert "Unknown: Tableau's Metadata API has not been queried yet" in client.get(f"/resources/{LUID}").text
    books = [DependentWorkbook(f"w{number}", f"Board pack {number:02}", "Finance/Closing") for number in range(12)]
    inbox.downstream.save(LUID, books[:1], at)
    assert "1 workbook uses it" in client.get(f"/resources/{LUID}").text
    inbox.downstream.save(LUID, books[::-1], at)
    page = client.get(f"/resources/{LUID}").text
    for text in ("12 workbooks use it", "Finance / Closing", "2 more", "<li>Board pack 11</li>"):
        assert text in page
    assert page.index("Board pack 00") < page.index("Board pack 09") < page.index("2 more")


def test_nul_characters_are_refused_in_every_field(client: FlaskClient, inbox: Inbox) -> None:
    """They are in no stored text, and PostgreSQL has no place for them."""
    record = fail(inbox, "Sales")
    for path in ("/incidents?owner=%00", "/incidents?kind=a%00", "/events?name=%00b", "/resources?after=a%00+b"):
        refused = client.get(path)
        assert refused.status_code == 400, path
        assert "has a NUL character" in refused.text
    assert client.get("/resources/a%00b").status_code == 404
    form = {"note": "a\0b"}
    refused = client.post(f"/incidents/{record.id}/note", data=form, headers=SAME_ORIGIN)
    assert refused.status_code == 400
    assert inbox.incidents.get(record.id).incident.acts == record.incident.acts
