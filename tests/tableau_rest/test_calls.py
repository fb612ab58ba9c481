"""The calls, each against what Tableau sends."""

from __future__ import annotations

import gzip
import json
import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from tableau_rest import (
    AlreadyRunning,
    ConnectionFailed,
    InvalidResponse,
    MemorySessions,
    NotFound,
    PersonalAccessToken,
    ServerError,
    StillRunning,
    Tableau,
    TooManyRequests,
    UnknownUri,
    where,
)
from tableau_rest.models import Content, Webhook
from tableau_rest.transport import Timeouts
from tests.tableau_rest.tiny import LUID, OTHER, SITE, Reply, TinyTableau

WORKBOOK = {
    "id": LUID,
    "name": "Sales",
    "contentUrl": "Sales",
    "webpageUrl": "https://t/#/site/mk/workbooks/123",
    "showTabs": "false",
    "size": "2",
    "createdAt": "2026-01-31T09:30:00Z",
    "hasExtracts": True,
    "project": {"id": OTHER, "name": "Finance"},
    "owner": {"id": OTHER, "name": "ann@example.org"},
    "tags": {"tag": [{"label": "gold"}, {"label": "two words"}]},
    "views": {"view": {"id": OTHER, "name": "Overview", "contentUrl": "Sales/sheets/Overview"}},
}


def test_workbook_is_read_whole(tiny: TinyTableau, client: Tableau) -> None:
    """Strings become numbers, truth and times; a single view is a list of one."""
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK})
    book = client.workbook(LUID)
    assert (book.name, book.owner.name, book.project.name) == ("Sales", "ann@example.org", "Finance")
    assert book.tags == ("gold", "two words")
    assert (book.show_tabs, book.size_megabytes, book.has_extracts) == (False, 2, True)
    assert book.created_at == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert [view.name for view in book.views] == ["Overview"]


def test_datasource_view_user_site_are_read(tiny: TinyTableau, client: Tableau) -> None:
    """The other things a handler looks up."""
    tiny.answers |= {
        f"GET datasources/{LUID}": Reply(
            {"datasource": {"id": LUID, "name": "Orders", "isCertified": "true", "tags": {}}}
        ),
        f"GET views/{LUID}": Reply({"view": {"id": LUID, "name": "Overview", "workbook": {"id": OTHER}}}),
        f"GET users/{LUID}": Reply({"user": {"id": LUID, "name": "ann", "fullName": "Ann", "siteRole": "Creator"}}),
        f"GET /api/3.27/sites/{SITE}": Reply({"site": {"id": SITE, "name": "Marketing", "contentUrl": "mk"}}),
    }
    assert client.datasource(LUID).is_certified
    assert client.view(LUID).workbook.luid == OTHER
    assert client.user(LUID).email == ""
    assert client.site().content_url == "mk"


@pytest.mark.parametrize("luid", ["", "12", "../users", LUID + "/x", "e3411111222243338444555566667777", None, 5])
def test_what_is_no_luid_is_refused_before_any_request(tiny: TinyTableau, client: Tableau, luid: Any) -> None:
    """A ValueError, and nothing was sent."""
    for call in (
        client.workbook,
        client.datasource,
        client.view,
        client.user,
        client.job,
        client.workbook_preview_image,
    ):
        with pytest.raises(ValueError, match="LUID"):
            call(luid)
    assert tiny.asked == []


@pytest.mark.parametrize("server", ["", "ftp://x", "https://", "https://u:p@x", "https://x/path", "https://x?y"])
def test_what_is_no_server_is_refused(server: str) -> None:
    """A ValueError at once."""
    with pytest.raises(ValueError, match=r"server|password"):
        Tableau(server, "mk", PersonalAccessToken("a", "b"))


@pytest.mark.parametrize("version", ["9.9", "3.99", "3", "x", "2.9", "3.2 ", "3.5"])
def test_an_unknown_version_is_refused(version: str) -> None:
    """Also one that is too old for the way to sign in."""
    with pytest.raises(ValueError, match="REST API"):
        Tableau("https://x", "mk", PersonalAccessToken("a", "b"), api_version=version)


@pytest.mark.parametrize(("offered", "spoken"), [("3.19", "3.19"), ("3.29", "3.29"), ("3.41", "3.29")])
def test_the_version_is_the_servers_or_the_newest_we_know(
    tiny: TinyTableau, client: Tableau, offered: str, spoken: str
) -> None:
    """A newer server is spoken to in a version we were tested with."""
    tiny.version = offered
    assert client.version == spoken


def test_deleted_content_is_not_found(tiny: TinyTableau, client: Tableau) -> None:
    """404 is told apart by type."""
    error = {"code": "404006", "summary": "Resource Not Found", "detail": "Workbook"}
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"error": error}, 404)
    with pytest.raises(NotFound) as raised:
        client.workbook(LUID)
    assert raised.value.permanent


def test_a_call_the_server_is_too_old_for_says_so(tiny: TinyTableau) -> None:
    """404003 names the version that would be needed."""
    tiny.version = "3.7"
    tiny.answers[f"GET webhooks/{LUID}"] = Reply({"webhook": HOOK})
    client = Tableau(tiny.url, "mk", PersonalAccessToken("old", "x"), sessions=MemorySessions())
    with client, pytest.raises(UnknownUri, match=r"needs REST API 3\.8; 3\.7 is spoken") as raised:
        client.update_webhook(LUID, is_enabled=False)
    assert raised.value.code == "404003"


def test_a_passing_gateway_error_is_tried_again(tiny: TinyTableau, client: Tableau) -> None:
    """A GET survives two 502s."""
    bad = Reply(b"<html><title>502 Bad Gateway</title></html>", 502, {"Content-Type": "text/html"})
    tiny.answers[f"GET workbooks/{LUID}"] = [bad, bad, Reply({"workbook": WORKBOOK})]
    assert client.workbook(LUID).name == "Sales"


def test_a_lasting_gateway_error_is_told(tiny: TinyTableau, client: Tableau) -> None:
    """Three tries, then the error, which is not final."""
    tiny.answers[f"GET workbooks/{LUID}"] = Reply(b"<html><title>502 Bad Gateway</title></html>", 502)
    with pytest.raises(ServerError, match="502 Bad Gateway") as raised:
        client.workbook(LUID)
    assert len(tiny.calls(f"GET workbooks/{LUID}")) == 3
    assert not raised.value.permanent


def test_a_post_is_not_sent_twice(tiny: TinyTableau, client: Tableau) -> None:
    """What may have been done already is not repeated."""
    tiny.answers["POST webhooks"] = Reply(b"", 502)
    with pytest.raises(ServerError):
        client.create_webhook("n", "WorkbookCreated", "https://example.org/x")
    assert len(tiny.calls("POST webhooks")) == 1


def test_429_says_when_and_is_not_slept_on(tiny: TinyTableau, client: Tableau) -> None:
    """Raised at once with the time to come back."""
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"error": {"code": "429000"}}, 429, {"Retry-After": "60"})
    before = datetime.now(UTC)
    with pytest.raises(TooManyRequests) as raised:
        client.workbook(LUID)
    assert raised.value.retry_at is not None
    assert timedelta(seconds=59) < raised.value.retry_at - before < timedelta(seconds=70)
    assert len(tiny.calls(f"GET workbooks/{LUID}")) == 1


def test_a_page_instead_of_json_is_a_bad_answer(tiny: TinyTableau, client: Tableau) -> None:
    """200 with a login page is not taken for an empty workbook."""
    tiny.answers[f"GET workbooks/{LUID}"] = Reply(
        b"<!doctype html><title>Sign in</title>", 200, {"Content-Type": "text/html"}
    )
    with pytest.raises(InvalidResponse, match="Sign in"):
        client.workbook(LUID)


def test_an_answer_cut_off_is_no_answer(tiny: TinyTableau, client: Tableau) -> None:
    """Half a document is an error, not half a workbook."""
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, cut=30)
    with pytest.raises(ConnectionFailed, match="half-way"):
        client.workbook(LUID)


def test_an_answer_in_drops_is_not_waited_for_for_ever(tiny: TinyTableau, client: Tableau) -> None:
    """Every byte comes in time, the whole does not: an error that is not final, and not tried again."""
    tiny.slow["GET drops"] = lambda _: Reply({"a": "b" * 200}, drip=0.01)
    started = time.monotonic()
    with pytest.raises(ConnectionFailed, match="in time") as raised:
        client.request("GET", "drops", timeouts=Timeouts(total=0.1))
    assert time.monotonic() - started < 1
    assert len(tiny.calls("GET drops")) == 1
    assert not raised.value.permanent


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(tiny: TinyTableau, client: Tableau) -> None:
    """The read timeout, once."""
    tiny.slow["GET silence"] = lambda _: (time.sleep(0.3), Reply({}))[1]
    with pytest.raises(ConnectionFailed, match="in time"):
        client.request("GET", "silence", timeouts=Timeouts(read=0.1))
    assert len(tiny.calls("GET silence")) == 1


def test_compressed_and_chunked_answers_are_read(tiny: TinyTableau, client: Tableau) -> None:
    """As gateways send them."""
    zipped = gzip.compress(json.dumps({"workbook": WORKBOOK}).encode())
    tiny.answers[f"GET workbooks/{LUID}"] = Reply(zipped, headers={"Content-Encoding": "gzip"})
    assert client.workbook(LUID).name == "Sales"
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, chunked=True)
    assert client.workbook(LUID).name == "Sales"
    tiny.answers[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, chunked=True, cut=50)
    with pytest.raises(ConnectionFailed, match="half-way"):
        client.workbook(LUID)


def test_one_connection_serves_many_calls(tiny: TinyTableau, client: Tableau) -> None:
    """Also after errors, empty answers and pictures."""
    tiny.answers |= {
        f"GET workbooks/{LUID}": Reply({"workbook": WORKBOOK}),
        f"GET workbooks/{LUID}/previewImage": Reply(b"x" * 100_000),
        f"DELETE webhooks/{LUID}": Reply(b"", 204),
    }
    for _ in range(5):
        client.workbook(LUID)
        client.workbook_preview_image(LUID)
        client.delete_webhook(LUID)
        with pytest.raises(NotFound):
            client.view(LUID)
    assert tiny.connections == 1


def test_preview_image_is_bytes(tiny: TinyTableau, client: Tableau) -> None:
    """Binary calls ask for anything, as some of them refuse JSON."""
    tiny.answers[f"GET workbooks/{LUID}/previewImage"] = Reply(b"\x89PNG...", headers={"Content-Type": "image/png"})
    assert client.workbook_preview_image(LUID) == b"\x89PNG..."
    assert tiny.asked[-1].headers["accept"] == "*/*"


def test_a_page_is_not_taken_for_a_picture(tiny: TinyTableau, client: Tableau) -> None:
    """A login page with status 200 is an error, not a broken PNG in somebody's channel."""
    tiny.answers[f"GET workbooks/{LUID}/previewImage"] = Reply(b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(InvalidResponse, match="web page"):
        client.workbook_preview_image(LUID)


def test_add_tags_quotes_what_tableau_would_split(tiny: TinyTableau, client: Tableau) -> None:
    """A label with a blank or a comma is sent in double quotes."""
    tiny.answers[f"PUT workbooks/{LUID}/tags"] = Reply({"tags": {"tag": {"label": "two words"}}})
    assert client.add_tags(Content("workbook", LUID), ["two words", "plain", "a,b"]) == ("two words",)
    assert [tag["label"] for tag in tiny.asked[-1].json["tags"]["tag"]] == ['"two words"', "plain", '"a,b"']


@pytest.mark.parametrize("tag", ["", " ", 'a"b', "a\nb"])
def test_a_tag_that_cannot_be_written_is_refused(tiny: TinyTableau, client: Tableau, tag: str) -> None:
    """A ValueError before any request."""
    with pytest.raises(ValueError, match="tag"):
        client.add_tags(Content("workbook", LUID), [tag])
    assert tiny.asked == []


def test_delete_tag_encodes_its_name(tiny: TinyTableau, client: Tableau) -> None:
    """A slash in a tag does not become part of the path."""
    tiny.answers[f"DELETE datasources/{LUID}/tags/a%2Fb%20c"] = Reply(b"", 204)
    client.delete_tag(Content("datasource", LUID), "a/b c")


def test_request_reaches_everything_else(tiny: TinyTableau, client: Tableau) -> None:
    """Under the site, under the server, with parameters and a body."""
    tiny.answers["GET workbooks"] = Reply({"workbooks": {}})
    tiny.answers["POST /api/-/pulse/definitions"] = Reply(b"", 202)
    assert client.request("GET", "workbooks", params={"filter": "name:eq:A B", "x": True}) == {"workbooks": {}}
    assert tiny.asked[-1].query == "filter=name:eq:A%20B&x=true"
    assert client.request("POST", "/api/-/pulse/definitions", json={"a": 1}) == {}
    assert tiny.asked[-1].json == {"a": 1}


# --- jobs ---------------------------------------------------------------------------------------------------------

AT = datetime(2026, 1, 31, 9, 30, 1, tzinfo=UTC)
JOBS = [f"{number:08d}-2222-4333-8444-555566667777" for number in range(5)]


def listed(luid: str, ended: datetime | None = AT) -> dict[str, Any]:
    end = {"endedAt": ended.strftime("%Y-%m-%dT%H:%M:%SZ")} if ended else {}
    return {"id": luid, "status": "Failed", "jobType": "refresh_extracts", "title": "Sales", **end}


def queried(luid: str, content: str, notes: str = "Login failed") -> Reply:
    detail = {"workbook": {"id": content, "name": "Sales"}, "notes": notes}
    done = {"finishCode": "1", "completedAt": "2026-01-31T09:30:00Z"}
    return Reply({"job": {"id": luid, "type": "RefreshExtract", **done, "extractRefreshJob": detail}})


def jobs_page(*jobs: dict[str, Any]) -> Reply:
    inside: Any = {"backgroundJob": list(jobs)} if jobs else {}
    return Reply({"pagination": {"totalAvailable": str(len(jobs))}, "backgroundJobs": inside})


def test_failed_job_is_that_of_the_content(tiny: TinyTableau, client: Tableau) -> None:
    """Of jobs with the same title the one about our content is taken, and its notes are the reason."""
    tiny.answers |= {
        "GET jobs": jobs_page(listed(JOBS[0]), listed(JOBS[1])),
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], OTHER),
        f"GET jobs/{JOBS[1]}": queried(JOBS[1], LUID, r"java.lang.RuntimeException: no\nCaused by: C:\new"),
    }
    job = client.failed_job(LUID, name="Sales", at=AT)
    assert job is not None
    assert job.notes == "java.lang.RuntimeException: no\nCaused by: C:\\new"
    assert (job.status, job.content) == ("Failed", Content("workbook", LUID))
    query = unquote(tiny.calls("GET jobs")[0].query)
    assert "jobType:in:[refresh_extracts,increment_extracts],status:eq:Failed" in query
    assert "title:eq:Sales" in query
    assert "createdAt:gt:2026-01-30T09:30:01Z" in query
    assert "sort=createdAt:desc" in query


def test_failed_job_is_the_one_nearest_in_time(tiny: TinyTableau, client: Tableau) -> None:
    """Yesterday's failure of the same content is not today's reason."""
    tiny.answers |= {
        "GET jobs": jobs_page(
            listed(JOBS[0], AT - timedelta(minutes=5)), listed(JOBS[1], AT), listed(JOBS[2], AT - timedelta(hours=3))
        ),
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], LUID, "earlier"),
        f"GET jobs/{JOBS[1]}": queried(JOBS[1], LUID, "this one"),
        f"GET jobs/{JOBS[2]}": queried(JOBS[2], LUID, "long ago"),
    }
    job = client.failed_job(LUID, name="Sales", at=AT)
    assert job is not None
    assert job.notes == "this one"


def test_an_old_failure_alone_is_not_taken(tiny: TinyTableau, client: Tableau) -> None:
    """When the job is not listed yet, an earlier one does not stand in for it."""
    tiny.answers["GET jobs"] = jobs_page(listed(JOBS[0], AT - timedelta(hours=1)))
    assert client.failed_job(LUID, name="Sales", at=AT) is None


def test_failed_job_is_found_without_its_title(tiny: TinyTableau, client: Tableau) -> None:
    """A title can be missing or translated: the second list is without it. One with a comma is not even tried."""
    tiny.answers |= {
        "GET jobs": [jobs_page(), jobs_page(listed(JOBS[0]))],
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], LUID),
    }
    assert client.failed_job(LUID, name="Sales", at=AT) is not None
    assert client.failed_job(LUID, name="Sales, EMEA & co", at=AT) is not None
    assert ["title" in asked.query for asked in tiny.calls("GET jobs")] == [True, False, False]


def test_find_failed_job_polls_until_it_appears(tiny: TinyTableau, client: Tableau) -> None:
    """Jobs that appear late are waited for, 5, 10, 30 seconds apart."""
    tiny.answers |= {
        "GET jobs": [*[jobs_page()] * 6, jobs_page(listed(JOBS[0]))],
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], LUID),
    }
    pauses: list[float] = []
    assert client.find_failed_job(LUID, name="Sales", at=AT, wait=120, sleep=pauses.append) is not None
    assert pauses == [5, 10, 30]


def test_find_failed_job_gives_up(tiny: TinyTableau, client: Tableau) -> None:
    """After `wait` seconds the answer is None."""
    tiny.answers["GET jobs"] = jobs_page()
    pauses: list[float] = []
    assert client.find_failed_job(LUID, at=AT, wait=100, sleep=pauses.append) is None
    assert pauses == [5, 10, 30, 55]


def test_wait_for_job_returns_when_it_has_finished(tiny: TinyTableau, client: Tableau) -> None:
    """Progress 100 is not the end; completedAt is."""
    running = Reply({"job": {"id": JOBS[0], "progress": "100", "startedAt": "2026-01-31T09:30:00Z"}})
    tiny.answers[f"GET jobs/{JOBS[0]}"] = [running, running, queried(JOBS[0], LUID)]
    assert client.wait_for_job(JOBS[0], sleep=lambda _: None).status == "Failed"
    tiny.answers[f"GET jobs/{JOBS[0]}"] = running
    with pytest.raises(StillRunning) as raised:
        client.wait_for_job(JOBS[0], wait=20, sleep=lambda _: None)
    assert raised.value.retry_at is not None


# --- webhooks -----------------------------------------------------------------------------------------------------

HOOK = {
    "id": LUID,
    "name": "failures",
    "event": "WorkbookRefreshFailed",
    "isEnabled": "false",
    "statusChangeReason": "Webhook disabled by user",
    "webhook-destination": {"webhook-destination-http": {"method": "POST", "url": "https://h.example.org/t/s3cr3t"}},
    "owner": {"id": OTHER, "name": "ann"},
}


def test_webhooks_are_listed_whatever_the_shape(tiny: TinyTableau, client: Tableau) -> None:
    """With and without paging, none, one instead of a list, and those of old servers."""
    old = {key: HOOK[key] for key in HOOK if key not in {"event", "isEnabled"}}
    old |= {"webhook-source": {"webhook-event-user-promoted-admin": {}}}
    tiny.answers["GET webhooks"] = [
        Reply({"webhooks": {}}),
        Reply({"webhooks": {"webhook": HOOK}}),
        Reply({"webhooks": {"webhook": [old]}}),
    ]
    assert list(client.webhooks()) == []
    (hook,) = client.webhooks()
    assert (hook.event, hook.is_enabled, hook.owner.name) == ("WorkbookRefreshFailed", False, "ann")
    assert "s3cr3t" not in repr(hook)
    (hook,) = client.webhooks()
    assert (hook.event, hook.is_enabled) == ("AdminPromoted", True)


def test_create_webhook_sends_the_event_by_name(tiny: TinyTableau, client: Tableau) -> None:
    """And, to servers before 2020.3, by the name of its element."""
    tiny.answers["POST webhooks"] = Reply({"webhook": HOOK}, 201)
    assert isinstance(client.create_webhook("n", "LabelDeleted", "https://x.example.org/y"), Webhook)
    assert tiny.asked[-1].json["webhook"]["event"] == "LabelDeleted"
    with Tableau(tiny.url, "mk", PersonalAccessToken("old", "x"), api_version="3.6", sessions=MemorySessions()) as old:
        old.create_webhook("n", "AdminDemoted", "https://x.example.org/y")
    assert tiny.asked[-1].json["webhook"]["webhook-source"] == {"webhook-event-user-demoted-admin": {}}


def test_update_webhook_sends_everything(tiny: TinyTableau, client: Tableau) -> None:
    """What is not given is read first and sent along."""
    tiny.answers[f"GET webhooks/{LUID}"] = Reply({"webhook": HOOK})
    tiny.answers[f"PUT webhooks/{LUID}"] = Reply({"webhook": {**HOOK, "isEnabled": True}}, 201)
    assert client.update_webhook(LUID, is_enabled=True).is_enabled
    sent = tiny.asked[-1].json["webhook"]
    assert (sent["name"], sent["event"], sent["isEnabled"]) == ("failures", "WorkbookRefreshFailed", True)
    assert "statusChangeReason" not in sent
    client.update_webhook(LUID, is_enabled=False, reason="maintenance")
    assert tiny.asked[-1].json["webhook"]["statusChangeReason"] == "maintenance"


@pytest.mark.parametrize(
    ("name", "event", "url"),
    [("", "WorkbookCreated", "https://x"), ("n", "workbook created", "https://x"), ("n", "WorkbookCreated", "x/y")],
)
def test_a_webhook_that_cannot_be_is_refused(
    tiny: TinyTableau, client: Tableau, name: str, event: str, url: str
) -> None:
    """A ValueError before any request."""
    with pytest.raises(ValueError, match=r"webhook|event"):
        client.create_webhook(name, event, url)
    assert tiny.asked == []


def test_test_webhook_tells_what_the_receiver_said(tiny: TinyTableau, client: Tableau) -> None:
    """The status inside counts, whatever that of the call itself."""
    inside = {"webhookTestResult": {"id": LUID, "status": "408", "body": "timed out"}}
    for status in (200, 400):
        tiny.answers[f"GET webhooks/{LUID}/test"] = Reply(inside, status)
        result = client.test_webhook(LUID)
        assert (result.ok, result.status, result.body) == (False, 408, "timed out")
    tiny.answers[f"GET webhooks/{LUID}/test"] = Reply({"error": {"code": "400113"}}, 400)
    with pytest.raises(NotFound):
        client.test_webhook(LUID)


def test_delete_webhook(tiny: TinyTableau, client: Tableau) -> None:
    """204, no body."""
    tiny.answers[f"DELETE webhooks/{LUID}"] = Reply(b"", 204)
    client.delete_webhook(LUID)
    assert re.fullmatch(r"session\|1\|.*", tiny.asked[-1].headers["x-tableau-auth"])


def test_already_running_is_told_by_type(tiny: TinyTableau, client: Tableau) -> None:
    """409093 is no failure, so it can be caught alone."""
    tiny.answers[f"POST workbooks/{LUID}/refresh"] = Reply({"error": {"code": "409093", "summary": "Conflict"}}, 409)
    with pytest.raises(AlreadyRunning):
        client.request("POST", f"workbooks/{LUID}/refresh", json={})


def test_filters_reach_tableau_as_it_reads_them(tiny: TinyTableau, client: Tableau) -> None:
    """Punctuation stays, blanks are encoded, times are UTC."""
    tiny.answers["GET jobs"] = jobs_page()
    list(client.jobs(where("title", "eq", "A B+C/ä"), "status:eq:Failed", where("createdAt", "gte", AT)))
    assert (
        "filter=title:eq:A%20B%2BC%2F%C3%A4,status:eq:Failed,createdAt:gte:2026-01-31T09:30:01Z" in tiny.asked[-1].query
    )
