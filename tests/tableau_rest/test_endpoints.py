"""The calls, each against the responses that Tableau sends."""

from __future__ import annotations

import gzip
import json
import os
import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import pytest

from tableau_rest import (
    AlreadyRunning,
    BadRequest,
    ConnectionFailed,
    InvalidResponse,
    MemorySessions,
    NotFound,
    PersonalAccessToken,
    ServerError,
    StillRunning,
    Tableau,
    TableauError,
    TooManyRequests,
    UnknownUri,
    where,
)
from tableau_rest.models import Content, Job, Webhook
from tableau_rest.transport import Timeouts
from tests.tableau_rest.tiny import LUID, OTHER, SITE, Asked, Reply, TinyTableau, refused

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


def test_a_workbook_is_read_completely(tiny: TinyTableau, client: Tableau) -> None:
    """Strings become numbers, booleans and times; a single view becomes a list of one."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK})
    book = client.workbook(LUID)
    assert (book.name, book.owner.name, book.project.name) == ("Sales", "ann@example.org", "Finance")
    assert book.tags == ("gold", "two words")
    assert (book.show_tabs, book.size_megabytes, book.has_extracts) == (False, 2, True)
    assert book.created_at == datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    assert [view.name for view in book.views] == ["Overview"]


def test_a_data_source_a_view_a_user_and_a_site_are_read(tiny: TinyTableau, client: Tableau) -> None:
    """The other content that handlers look up is read as well."""
    tiny.replies |= {
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
def test_an_invalid_luid_is_refused_before_any_request(tiny: TinyTableau, client: Tableau, luid: Any) -> None:
    """It raises ValueError, and nothing is sent."""
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
def test_an_invalid_server_address_is_refused(server: str) -> None:
    """It raises ValueError when the client is created."""
    with pytest.raises(ValueError, match=r"server|password"):
        Tableau(server, "mk", PersonalAccessToken("a", "b"))


@pytest.mark.parametrize("version", ["9.9", "3.99", "3", "x", "2.9", "3.2 ", "3.5"])
def test_an_unknown_version_is_refused(version: str) -> None:
    """So is a version that is too old for the credential."""
    with pytest.raises(ValueError, match="REST API"):
        Tableau("https://x", "mk", PersonalAccessToken("a", "b"), api_version=version)


@pytest.mark.parametrize(("offered", "spoken"), [("3.19", "3.19"), ("3.29", "3.29"), ("3.41", "3.29")])
def test_the_version_is_the_servers_or_the_newest_supported_one(
    tiny: TinyTableau, client: Tableau, offered: str, spoken: str
) -> None:
    """A newer server is used with a version this client was tested with."""
    tiny.version = offered
    assert client.version == spoken


def test_deleted_content_is_not_found(tiny: TinyTableau, client: Tableau) -> None:
    """Its 404 is a NotFound, which is permanent."""
    error = {"code": "404006", "summary": "Resource Not Found", "detail": "Workbook"}
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"error": error}, 404)
    with pytest.raises(NotFound) as raised:
        client.workbook(LUID)
    assert raised.value.permanent


def test_a_call_that_is_newer_than_the_server_names_the_version_it_needs(tiny: TinyTableau) -> None:
    """404003 is explained by the version of the server."""
    tiny.version = "3.7"
    tiny.replies[f"GET webhooks/{LUID}"] = Reply({"webhook": HOOK})
    client = Tableau(tiny.url, "mk", PersonalAccessToken("old", "x"), sessions=MemorySessions())
    with client, pytest.raises(UnknownUri, match=r"needs REST API 3\.8; this server is used with 3\.7") as raised:
        client.update_webhook(LUID, is_enabled=False)
    assert raised.value.code == "404003"


def test_a_temporary_gateway_error_is_repeated(tiny: TinyTableau, client: Tableau) -> None:
    """A GET succeeds after two 502s."""
    bad = Reply(b"<html><title>502 Bad Gateway</title></html>", 502, {"Content-Type": "text/html"})
    tiny.replies[f"GET workbooks/{LUID}"] = [bad, bad, Reply({"workbook": WORKBOOK})]
    assert client.workbook(LUID).name == "Sales"


def test_a_lasting_gateway_error_is_raised(tiny: TinyTableau, client: Tableau) -> None:
    """After three attempts the error is raised, and it is not permanent."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(b"<html><title>502 Bad Gateway</title></html>", 502)
    with pytest.raises(ServerError, match="502 Bad Gateway") as raised:
        client.workbook(LUID)
    assert len(tiny.calls(f"GET workbooks/{LUID}")) == 3
    assert not raised.value.permanent


def test_a_post_is_not_sent_twice(tiny: TinyTableau, client: Tableau) -> None:
    """A request that may have been executed is not repeated."""
    tiny.replies["POST webhooks"] = Reply(b"", 502)
    with pytest.raises(ServerError):
        client.create_webhook("n", "WorkbookCreated", "https://example.org/x")
    assert len(tiny.calls("POST webhooks")) == 1


def test_429_is_raised_with_the_time_to_retry(tiny: TinyTableau, client: Tableau) -> None:
    """It is raised at once; the client does not sleep."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"error": {"code": "429000"}}, 429, {"Retry-After": "60"})
    before = datetime.now(UTC)
    with pytest.raises(TooManyRequests) as raised:
        client.workbook(LUID)
    assert raised.value.retry_at is not None
    assert timedelta(seconds=59) < raised.value.retry_at - before < timedelta(seconds=70)
    assert len(tiny.calls(f"GET workbooks/{LUID}")) == 1


def test_a_web_page_is_an_invalid_response(tiny: TinyTableau, client: Tableau) -> None:
    """200 with a login page is not an empty workbook."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(
        b"<!doctype html><title>Sign in</title>", 200, {"Content-Type": "text/html"}
    )
    with pytest.raises(InvalidResponse, match="Sign in"):
        client.workbook(LUID)


def test_an_incomplete_response_is_an_error(tiny: TinyTableau, client: Tableau) -> None:
    """Half a document is not half a workbook."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, cut=30)
    with pytest.raises(ConnectionFailed, match="before the response was complete"):
        client.workbook(LUID)


def test_a_body_that_arrives_byte_by_byte_ends_at_the_deadline(tiny: TinyTableau, client: Tableau) -> None:
    """Each byte comes in time but the whole does not: an error that is not permanent and not repeated."""
    tiny.slow["GET drops"] = lambda _: Reply({"a": "b" * 2000}, drip=0.01)
    started = time.monotonic()
    with pytest.raises(ConnectionFailed, match="in time") as raised:
        client.request("GET", "drops", timeouts=Timeouts(total=0.1))
    assert time.monotonic() - started < 60
    assert len(tiny.calls("GET drops")) == 1
    assert not raised.value.permanent


def test_a_silent_server_ends_at_the_read_timeout(tiny: TinyTableau, client: Tableau) -> None:
    """It is waited for once."""
    tiny.slow["GET silence"] = lambda _: (time.sleep(0.3), Reply({}))[1]
    with pytest.raises(ConnectionFailed, match="in time"):
        client.request("GET", "silence", timeouts=Timeouts(read=0.1))
    assert len(tiny.calls("GET silence")) == 1


def test_compressed_and_chunked_responses_are_read(tiny: TinyTableau, client: Tableau) -> None:
    """Gateways send both."""
    zipped = gzip.compress(json.dumps({"workbook": WORKBOOK}).encode())
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(zipped, headers={"Content-Encoding": "gzip"})
    assert client.workbook(LUID).name == "Sales"
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, chunked=True)
    assert client.workbook(LUID).name == "Sales"
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK}, chunked=True, cut=50)
    with pytest.raises(ConnectionFailed, match="before the response was complete"):
        client.workbook(LUID)


def test_one_connection_serves_many_calls(tiny: TinyTableau, client: Tableau) -> None:
    """It is reused after errors, empty responses and images, too."""
    tiny.replies |= {
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


def test_a_forked_process_uses_no_connection_of_its_parent(tiny: TinyTableau, client: Tableau) -> None:
    """Two processes on one connection would mix their requests; the parent goes on with it, in the same session."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply({"workbook": WORKBOOK})
    client.workbook(LUID)
    child = os.fork()
    if child == 0:
        os._exit(0 if client.workbook(LUID).luid == LUID else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    client.workbook(LUID)
    assert (tiny.connections, tiny.sign_ins) == (2, 1)


def test_a_preview_image_is_bytes(tiny: TinyTableau, client: Tableau) -> None:
    """Binary calls accept any type, because some of them refuse JSON."""
    tiny.replies[f"GET workbooks/{LUID}/previewImage"] = Reply(b"\x89PNG...", headers={"Content-Type": "image/png"})
    assert client.workbook_preview_image(LUID) == b"\x89PNG..."
    assert tiny.asked[-1].headers["accept"] == "*/*"


def test_a_web_page_is_not_an_image(tiny: TinyTableau, client: Tableau) -> None:
    """A login page with status 200 is an error, not a broken PNG in a channel."""
    tiny.replies[f"GET workbooks/{LUID}/previewImage"] = Reply(b"<html>", headers={"Content-Type": "text/html"})
    with pytest.raises(InvalidResponse, match="web page"):
        client.workbook_preview_image(LUID)


def test_tags_that_tableau_would_split_are_quoted(tiny: TinyTableau, client: Tableau) -> None:
    """A label with a space or a comma is sent in double quotes."""
    tiny.replies[f"PUT workbooks/{LUID}/tags"] = Reply({"tags": {"tag": {"label": "two words"}}})
    assert client.add_tags(Content("workbook", LUID), ["two words", "plain", "a,b"]) == ("two words",)
    assert [tag["label"] for tag in tiny.asked[-1].json["tags"]["tag"]] == ['"two words"', "plain", '"a,b"']


@pytest.mark.parametrize("tag", ["", " ", 'a"b', "a\nb"])
def test_an_invalid_tag_is_refused(tiny: TinyTableau, client: Tableau, tag: str) -> None:
    """It raises ValueError before any request."""
    with pytest.raises(ValueError, match="tag"):
        client.add_tags(Content("workbook", LUID), [tag])
    assert tiny.asked == []


def test_a_tag_is_encoded_in_the_path(tiny: TinyTableau, client: Tableau) -> None:
    """A slash in a tag does not become part of the path."""
    tiny.replies[f"DELETE datasources/{LUID}/tags/a%2Fb%20c"] = Reply(b"", 204)
    client.delete_tag(Content("datasource", LUID), "a/b c")


@pytest.mark.parametrize("tag", [".", " .. ", "a/../..", "..\\b"])
def test_a_tag_that_leads_to_the_content_is_not_removed(tiny: TinyTableau, client: Tableau, tag: str) -> None:
    """`DELETE workbooks/LUID/tags/..` would be normalized to the workbook's own address."""
    with pytest.raises(ValueError, match="cannot be in an address"):
        client.delete_tag(Content("workbook", LUID), tag)
    assert tiny.asked == []


def test_request_sends_any_other_call(tiny: TinyTableau, client: Tableau) -> None:
    """The path is relative to the site or to the server, with parameters and a body."""
    tiny.replies["GET workbooks"] = Reply({"workbooks": {}})
    tiny.replies["POST /api/-/pulse/definitions"] = Reply(b"", 202)
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


def test_the_failed_job_is_the_one_of_the_content(tiny: TinyTableau, client: Tableau) -> None:
    """Of jobs with the same title the one of this content is returned, with the reason in its notes."""
    tiny.replies |= {
        "GET jobs": jobs_page(listed(JOBS[0]), listed(JOBS[1])),
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], OTHER),
        f"GET jobs/{JOBS[1]}": queried(JOBS[1], LUID, r"java.lang.RuntimeException: no\nCaused by: C:\new"),
    }
    job = client.failed_job(LUID, name="Sales", at=AT)
    assert job is not None
    assert job.notes == "java.lang.RuntimeException: no\nCaused by: C:\\new"
    assert (job.status, job.content) == ("Failed", Content("workbook", LUID))
    query = unquote(tiny.calls("GET jobs")[0].query)
    assert (
        "jobType:in:[refresh_extracts,increment_extracts,refresh_extracts_via_bridge,increment_extracts_via_bridge]"
        in query
    )
    assert "status:eq:Failed" in query
    assert "title:eq:Sales" in query
    assert "createdAt:gt:2026-01-30T09:30:01Z" in query
    assert "sort=createdAt:desc" in query


def test_the_failed_job_is_the_one_nearest_in_time(tiny: TinyTableau, client: Tableau) -> None:
    """Yesterday's failure of the same content is not the reason of today's."""
    tiny.replies |= {
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


def test_an_earlier_failure_alone_is_not_returned(tiny: TinyTableau, client: Tableau) -> None:
    """While the job is not listed yet, an earlier one does not replace it."""
    tiny.replies["GET jobs"] = jobs_page(listed(JOBS[0], AT - timedelta(hours=1)))
    assert client.failed_job(LUID, name="Sales", at=AT) is None


def test_the_failed_job_is_found_without_its_title(tiny: TinyTableau, client: Tableau) -> None:
    """A title may be missing or translated, so the second list is without it; one with a comma is never sent."""
    tiny.replies |= {
        "GET jobs": [jobs_page(), jobs_page(listed(JOBS[0]))],
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], LUID),
    }
    assert client.failed_job(LUID, name="Sales", at=AT) is not None
    assert client.failed_job(LUID, name="Sales, EMEA & co", at=AT) is not None
    assert ["title" in asked.query for asked in tiny.calls("GET jobs")] == [True, False, False]


def test_refresh_jobs_include_those_of_bridge(tiny: TinyTableau, client: Tableau) -> None:
    """They are Tableau's four job types of refreshes."""
    tiny.replies["GET jobs"] = jobs_page(listed(JOBS[0]))
    assert [job.luid for job in client.refresh_jobs("status:eq:Failed")] == [JOBS[0]]
    assert unquote(tiny.asked[-1].query).split("&")[1] == (
        "filter=jobType:in:[refresh_extracts,increment_extracts,"
        "refresh_extracts_via_bridge,increment_extracts_via_bridge],status:eq:Failed"
    )


def test_job_types_that_the_server_refuses_are_left_out(tiny: TinyTableau, client: Tableau) -> None:
    """An older server does not know Bridge's; it is asked again without them, and from then on."""

    def older(asked: Asked) -> Reply:
        return refused("400000", "unknown job type") if "bridge" in asked.query else jobs_page(listed(JOBS[0]))

    tiny.replies["GET jobs"] = older
    for _ in range(3):
        assert [job.luid for job in client.refresh_jobs()] == [JOBS[0]]
    assert ["bridge" in asked.query for asked in tiny.calls("GET jobs")] == [True, False, False, False]


def test_a_filter_that_the_server_refuses_anyway_is_an_error(tiny: TinyTableau, client: Tableau) -> None:
    """Then the job types were not the reason, and they are sent again the next time."""
    tiny.replies["GET jobs"] = refused("400000", "unknown field")
    for _ in range(2):
        with pytest.raises(BadRequest, match="unknown field"):
            list(client.refresh_jobs())
    assert ["bridge" in asked.query for asked in tiny.calls("GET jobs")] == [True, False] * 2


def test_jobs_of_a_refused_type_are_selected_here(tiny: TinyTableau, client: Tableau) -> None:
    """A server that does not know one of the types lists all jobs, and none of the wanted ones is lost."""
    wanted = [dict(listed(luid), jobType=job_type) for luid, job_type in zip(JOBS, ("run_flow", "x"), strict=False)]

    def older(asked: Asked) -> Reply:
        return refused("400000", "unknown job type") if "jobType" in asked.query else jobs_page(*wanted)

    tiny.replies["GET jobs"] = older
    for _ in range(2):
        assert [job.luid for job in client.jobs_of_types(["run_flow", "new"], "status:eq:Failed")] == [JOBS[0]]
    assert ["jobType" in asked.query for asked in tiny.calls("GET jobs")] == [True, False, False]
    assert all("status:eq:Failed" in unquote(asked.query) for asked in tiny.calls("GET jobs"))


@pytest.mark.parametrize("wrong", ["status", "status:eq"])
def test_a_wrong_filter_of_refresh_jobs_is_refused_at_once(tiny: TinyTableau, client: Tableau, wrong: str) -> None:
    """It raises ValueError before any request."""
    with pytest.raises(ValueError, match="filter"):
        client.refresh_jobs(wrong)
    assert tiny.asked == []


def test_a_failed_job_is_polled_for_until_it_appears(tiny: TinyTableau, client: Tableau) -> None:
    """The list is read again after 5, 10 and 30 seconds."""
    tiny.replies |= {
        "GET jobs": [*[jobs_page()] * 6, jobs_page(listed(JOBS[0]))],
        f"GET jobs/{JOBS[0]}": queried(JOBS[0], LUID),
    }
    pauses: list[float] = []
    assert client.find_failed_job(LUID, name="Sales", at=AT, wait=120, sleep=pauses.append) is not None
    assert pauses == [5, 10, 30]


def test_polling_for_a_failed_job_ends(tiny: TinyTableau, client: Tableau) -> None:
    """After `wait` seconds the result is None."""
    tiny.replies["GET jobs"] = jobs_page()
    pauses: list[float] = []
    assert client.find_failed_job(LUID, at=AT, wait=100, sleep=pauses.append) is None
    assert pauses == [5, 10, 30, 55]


def test_waiting_ends_when_the_job_has_finished(tiny: TinyTableau, client: Tableau) -> None:
    """Progress 100 is not the end; completedAt is."""
    running = Reply({"job": {"id": JOBS[0], "progress": "100", "startedAt": "2026-01-31T09:30:00Z"}})
    tiny.replies[f"GET jobs/{JOBS[0]}"] = [running, running, queried(JOBS[0], LUID)]
    assert client.wait_for_job(JOBS[0], sleep=lambda _: None).status == "Failed"
    tiny.replies[f"GET jobs/{JOBS[0]}"] = running
    with pytest.raises(StillRunning) as raised:
        client.wait_for_job(JOBS[0], wait=20, sleep=lambda _: None)
    assert raised.value.retry_at is not None


@pytest.mark.parametrize(
    ("code", "notes", "status"),
    [
        ("0", "", "Success"),
        ("3", "", "Success"),
        ("1", "", "Failed"),
        ("2", "", "Cancelled"),
        ("7", "", "Unknown"),
        ("7", "Login failed", "Failed"),
        ("x", "", "Unknown"),
        (None, "", "Unknown"),
    ],
)
def test_an_unknown_finish_code_is_not_a_success(code: str | None, notes: str, status: str) -> None:
    """Tableau may add codes; a job that ended with one has not succeeded for sure."""
    data = {"id": LUID, "finishCode": code, "completedAt": "2026-01-31T09:30:00Z", "notes": notes}
    assert Job.from_json(data).status == status
    assert Job.from_json({"id": LUID, "finishCode": code}).status == "Pending"


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


def test_webhooks_are_listed_in_every_shape(tiny: TinyTableau, client: Tableau) -> None:
    """They are read with and without paging; none, one instead of a list, and those of old servers are valid."""
    old = {key: HOOK[key] for key in HOOK if key not in {"event", "isEnabled"}}
    old |= {"webhook-source": {"webhook-event-user-promoted-admin": {}}}
    tiny.replies["GET webhooks"] = [
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


def test_a_webhook_is_created_by_the_name_of_its_event(tiny: TinyTableau, client: Tableau) -> None:
    """Servers before 2020.3 are sent the name of its element."""
    tiny.replies["POST webhooks"] = Reply({"webhook": HOOK}, 201)
    assert isinstance(client.create_webhook("n", "LabelDeleted", "https://x.example.org/y"), Webhook)
    assert tiny.asked[-1].json["webhook"]["event"] == "LabelDeleted"
    with Tableau(tiny.url, "mk", PersonalAccessToken("old", "x"), api_version="3.6", sessions=MemorySessions()) as old:
        old.create_webhook("n", "AdminDemoted", "https://x.example.org/y")
    assert tiny.asked[-1].json["webhook"]["webhook-source"] == {"webhook-event-user-demoted-admin": {}}


def test_an_update_of_a_webhook_is_complete(tiny: TinyTableau, client: Tableau) -> None:
    """Fields that are not given are read first and sent unchanged."""
    tiny.replies[f"GET webhooks/{LUID}"] = Reply({"webhook": HOOK})
    tiny.replies[f"PUT webhooks/{LUID}"] = Reply({"webhook": {**HOOK, "isEnabled": True}}, 201)
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
def test_an_invalid_webhook_is_refused(tiny: TinyTableau, client: Tableau, name: str, event: str, url: str) -> None:
    """It raises ValueError before any request."""
    with pytest.raises(ValueError, match=r"webhook|event"):
        client.create_webhook(name, event, url)
    assert tiny.asked == []


def test_the_test_of_a_webhook_returns_the_receivers_response(tiny: TinyTableau, client: Tableau) -> None:
    """The status inside counts, whatever the status of the call."""
    inside = {"webhookTestResult": {"id": LUID, "status": "408", "body": "timed out"}}
    for status in (200, 400):
        tiny.replies[f"GET webhooks/{LUID}/test"] = Reply(inside, status)
        result = client.test_webhook(LUID)
        assert (result.ok, result.status, result.body) == (False, 408, "timed out")
    tiny.replies[f"GET webhooks/{LUID}/test"] = Reply({"error": {"code": "400113"}}, 400)
    with pytest.raises(NotFound):
        client.test_webhook(LUID)


def test_a_webhook_is_deleted(tiny: TinyTableau, client: Tableau) -> None:
    """204 without a body is a success."""
    tiny.replies[f"DELETE webhooks/{LUID}"] = Reply(b"", 204)
    client.delete_webhook(LUID)
    assert re.fullmatch(r"session\|1\|.*", tiny.asked[-1].headers["x-tableau-auth"])


def test_a_running_refresh_has_an_error_of_its_own(tiny: TinyTableau, client: Tableau) -> None:
    """409093 is not a failure, so it can be caught separately."""
    tiny.replies[f"POST workbooks/{LUID}/refresh"] = Reply({"error": {"code": "409093", "summary": "Conflict"}}, 409)
    with pytest.raises(AlreadyRunning):
        client.request("POST", f"workbooks/{LUID}/refresh", json={})


def test_filters_are_encoded_as_tableau_expects(tiny: TinyTableau, client: Tableau) -> None:
    """Punctuation stays, spaces are encoded, times are in UTC."""
    tiny.replies["GET jobs"] = jobs_page()
    list(client.jobs(where("title", "eq", "A B+C/ä"), "status:eq:Failed", where("createdAt", "gte", AT)))
    assert (
        "filter=title:eq:A%20B%2BC%2F%C3%A4,status:eq:Failed,createdAt:gte:2026-01-31T09:30:01Z" in tiny.asked[-1].query
    )


# --- responses without the requested object -------------------------------------------------------------------------

GETTERS: list[tuple[str, Callable[[Tableau], object]]] = [
    (f"GET workbooks/{LUID}", lambda client: client.workbook(LUID)),
    (f"GET datasources/{LUID}", lambda client: client.datasource(LUID)),
    (f"GET views/{LUID}", lambda client: client.view(LUID)),
    (f"GET flows/{LUID}", lambda client: client.flow(LUID)),
    (f"GET flows/runs/{LUID}", lambda client: client.flow_run(LUID)),
    (f"GET users/{LUID}", lambda client: client.user(LUID)),
    (f"GET /api/3.27/sites/{SITE}", lambda client: client.site()),
    (f"GET jobs/{LUID}", lambda client: client.job(LUID)),
    (f"GET webhooks/{LUID}", lambda client: client.webhook(LUID)),
    (f"GET webhooks/{LUID}/test", lambda client: client.test_webhook(LUID)),
    (f"GET dataAlerts/{LUID}", lambda client: client.data_alert(LUID)),
    (f"GET tasks/linked/{LUID}", lambda client: client.linked_task(LUID)),
    (f"GET workbooks/{LUID}/connections", lambda client: client.workbook_connections(LUID)),
    (f"GET datasources/{LUID}/connections", lambda client: client.datasource_connections(LUID)),
    (f"GET workbooks/{LUID}/permissions", lambda client: client.permissions(Content("workbook", LUID))),
    ("GET tasks/extractRefreshes", lambda client: list(client.extract_refresh_tasks())),
    ("GET tasks/runFlow", lambda client: list(client.flow_tasks())),
    ("GET tasks/linked", lambda client: list(client.linked_tasks())),
    ("GET projects", lambda client: client.project(LUID)),
    ("POST labels", lambda client: client.labels("workbook", LUID)),
    (f"GET dataQualityWarnings/datasource/{LUID}", lambda client: client.quality_warnings("datasource", LUID)),
    ("POST /api/metadata/graphql", lambda client: client.downstream_workbooks(LUID)),
    (f"POST workbooks/{LUID}/refresh", lambda client: client.refresh_workbook(LUID)),
    (f"POST flows/{LUID}/run", lambda client: client.run_flow(LUID)),
    (f"POST tasks/linked/{LUID}/runNow", lambda client: client.run_linked_task(LUID)),
    (f"PUT workbooks/{LUID}", lambda client: client.update_workbook(LUID, name="x")),
    ("POST webhooks", lambda client: client.create_webhook("n", "WorkbookCreated", "https://x.example.org")),
]


@pytest.mark.parametrize("body", [b"", {}, {"other": {"id": LUID}}, "text", 5, b"<html></html>"])
@pytest.mark.parametrize(("path", "call"), GETTERS, ids=[path for path, _ in GETTERS])
def test_a_response_without_the_requested_object_is_an_error(
    tiny: TinyTableau, client: Tableau, path: str, call: Callable[[Tableau], object], body: object
) -> None:
    """A status of 200 is not enough: every workbook has an id."""
    tiny.replies[path] = Reply(body)
    with pytest.raises(InvalidResponse):
        call(client)


@pytest.mark.parametrize(
    "body",
    [
        {"workbook": {}},
        {"workbook": []},
        {"workbook": "Sales"},
        {"workbook": {"name": "Sales"}},
        {"workbook": {"id": ""}},
        {"workbook": {"id": "x" * 1000}},
        [{"id": LUID}],
    ],
)
def test_an_object_without_an_id_is_an_error(tiny: TinyTableau, client: Tableau, body: object) -> None:
    """The error is not permanent and names the object that is missing."""
    tiny.replies[f"GET workbooks/{LUID}"] = Reply(body)
    with pytest.raises(InvalidResponse, match="no workbook") as raised:
        client.workbook(LUID)
    assert not raised.value.permanent


@pytest.mark.parametrize(
    ("path", "call"), [pair for pair in GETTERS if re.fullmatch(f"GET (?!dataQuality).*/({LUID}|{SITE})", pair[0])]
)
def test_another_object_than_the_requested_one_is_an_error(
    tiny: TinyTableau, client: Tableau, path: str, call: Callable[[Tableau], object]
) -> None:
    """A cache in front of Tableau may respond with another object, whose name and owner would reach a message."""
    kinds = ("workbook", "datasource", "view", "flow", "flowRun", "user", "site", "job", "webhook", "dataAlert")

    def reply(luid: str) -> Reply:
        found = {"id": luid}
        linked = {"linkedTasks": {"linkedTasks": [found]}}
        return Reply(dict.fromkeys(kinds, found) | linked)

    tiny.replies[path] = reply(OTHER)
    with pytest.raises(InvalidResponse, match="has another") as raised:
        call(client)
    assert not raised.value.permanent
    tiny.replies[path] = reply((SITE if path.endswith(SITE) else LUID).upper())
    call(client)


def test_secrets_that_tableau_repeats_are_masked_in_every_part(tiny: TinyTableau, client: Tableau) -> None:
    """This covers summary, detail and code of errors, excerpts of other responses, and messages of the Metadata API."""

    def echo(asked: Asked) -> Reply:
        text = f"s3cr3t-value {asked.headers['x-tableau-auth']}"
        error = {"code": text, "summary": text, "detail": text}
        graphql = {"errors": [{"message": text, "extensions": {"code": text}}]}
        return Reply(graphql, 200) if "graphql" in asked.path else Reply({"error": error}, 400)

    tiny.replies |= {
        f"GET workbooks/{LUID}": echo,
        "POST /api/metadata/graphql": echo,
        f"GET views/{LUID}": lambda asked: Reply(f"s3cr3t-value {asked.headers['x-tableau-auth']}".encode()),
        f"GET users/{LUID}": lambda asked: Reply(b"x" * 190 + b" s3cr3t-value"),
    }
    calls = (client.workbook, client.view, client.user, client.downstream_workbooks)
    for call in calls:
        with pytest.raises(TableauError) as raised:
            call(LUID)
        text = f"{raised.value} {raised.value!r} {vars(raised.value)}"
        assert "s3cr3" not in text  # cut off or not
        assert client.session().token not in text
        assert "***" in text
