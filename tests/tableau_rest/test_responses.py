"""The meaning of responses, without a network."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest

from tableau_rest import errors
from tableau_rest.protocol import redirects, responses

NOW = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def error(status: int, body: bytes = b"", **headers: str) -> errors.TableauError:
    return responses.error(status, {name.replace("_", "-"): value for name, value in headers.items()}, body, now=NOW)


def coded(code: str, detail: str = "") -> errors.TableauError:
    body = f'{{"error":{{"code":"{code}","summary":"Sum","detail":"{detail}"}}}}'.encode()
    return error(int(code[:3]), body)


@pytest.mark.parametrize(
    ("code", "kind", "permanent"),
    [
        ("400000", errors.BadRequest, True),
        ("400113", errors.NotFound, True),
        ("401000", errors.Unauthorized, False),
        ("401001", errors.SignInFailed, True),
        ("401002", errors.Unauthorized, False),
        ("403004", errors.Forbidden, True),
        ("404003", errors.UnknownUri, True),
        ("404006", errors.NotFound, True),
        ("409004", errors.Conflict, True),
        ("409093", errors.AlreadyRunning, True),
        ("429000", errors.TooManyRequests, False),
        ("500000", errors.ServerError, False),
    ],
)
def test_a_code_becomes_its_error(code: str, kind: type[errors.TableauError], permanent: bool) -> None:
    """Each of Tableau's codes has a type, which says whether trying again can help."""
    found = coded(code)
    assert type(found) is kind
    assert (found.permanent, found.code, found.status) == (permanent, code, int(code[:3]))


def test_an_error_in_xml_is_read() -> None:
    """Some servers send XML although JSON was requested."""
    body = b"""<?xml version='1.0'?><tsResponse xmlns="http://tableau.com/api"><error code="404006">
        <summary>Resource Not Found</summary><detail>Workbook could not be found.</detail></error></tsResponse>"""
    found = error(404, body)
    assert type(found) is errors.NotFound
    assert str(found) == "404006 Resource Not Found: Workbook could not be found"


def test_a_document_in_xml_is_read_as_json() -> None:
    """Lists, attributes and texts of XML are found under the names they have in JSON."""
    body = b"""<tsResponse xmlns="http://tableau.com/api"><pagination totalAvailable="2"/>
        <workbooks><workbook id="1"><tags><tag label="a"/></tags></workbook>
        <workbook id="2"/><workbook id="3"/></workbooks>
        </tsResponse>"""
    found = responses.document(body)
    assert found["pagination"] == {"totalAvailable": "2"}
    assert [book["id"] for book in found["workbooks"]["workbook"]] == ["1", "2", "3"]
    assert found["workbooks"]["workbook"][0]["tags"] == {"tag": {"label": "a"}}


@pytest.mark.parametrize(
    "body",
    [
        b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>",
        b"<html><body><h1>502 Bad Gateway</h1></body></html>",
        b"502 Bad Gateway",
    ],
)
def test_a_gateways_page_becomes_a_short_error(body: bytes) -> None:
    """HTML and plain text become a readable error that is not permanent."""
    found = error(502, body, Content_Type="text/html")
    assert type(found) is errors.ServerError
    assert "502 Bad Gateway" in found.detail
    assert "<" not in found.detail


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"error":[]}', b'{"error":"no"}', b"\xff\xfe", b"{" * 100_000])
def test_any_body_becomes_an_error(body: bytes) -> None:
    """The status alone is enough for an error, however broken the body is."""
    assert error(500, body).status == 500


def test_entities_in_xml_are_refused() -> None:
    """A document that defines entities is not expanded."""
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]><tsResponse>&a;</tsResponse>'
    with pytest.raises(errors.InvalidResponse):
        responses.document(bomb)


@pytest.mark.parametrize(
    ("detail", "headers", "seconds"),
    [
        ("", {"Retry_After": "17"}, 17),
        ("", {"Retry_After": "Sat, 31 Jan 2026 09:32:00 GMT"}, 120),
        ("", {"Retry_After": "Sat, 31 Jan 2026 09:00:00 GMT"}, 0),
        ("", {"Retry_After": "99999999999999999999"}, 86_400),
        ("Too many calls of api.rest.refresh_extracts, try again in 29 minutes.", {}, 29 * 60),
        ("Limit of 60 requests per 1 hour exceeded. Try again in 29 minutes.", {}, 29 * 60),
        ("Limit of 60 requests in 1 hour exceeded. Please wait 12 seconds.", {}, 12),
        ("Try again in 5 minutes. The limit is 60 requests per 1 hour.", {}, 5 * 60),
        ("60 requests per 1 hour: 3 minutes left", {}, 3 * 60),
        ("wait 29 minutes", {"Retry_After": "5"}, 5),
        ("wait 2 hours", {"Retry_After": "soon"}, 7200),
        ("too many", {}, None),
        ("", {"Retry_After": "-3"}, None),
    ],
)
def test_the_time_to_retry(detail: str, headers: dict[str, str], seconds: int | None) -> None:
    """The header first, as seconds or a date; else the wait in the text; else none."""
    body = f'{{"error":{{"code":"429000","summary":"Too Many Requests","detail":"{detail}"}}}}'.encode()
    found = error(429, body, **headers)
    assert found.retry_at == (None if seconds is None else NOW + timedelta(seconds=seconds))
    assert not found.permanent


@pytest.mark.parametrize(
    ("url", "location", "home"),
    [
        (
            "https://online.tableau.com/api/x",
            "https://10ax.online.tableau.com/api/x",
            "https://10ax.online.tableau.com",
        ),
        (
            "https://10ax.online.tableau.com/api/x",
            "https://us-east.online.tableau.com/api/x",
            "https://us-east.online.tableau.com",
        ),
        ("http://bi.example.org/api/x", "https://bi.example.org/api/x", "https://bi.example.org"),
        ("http://127.0.0.1:81/api/x", "http://localhost:82/api/x", "http://localhost:82"),
    ],
)
def test_a_redirect_within_the_same_organization_is_followed(url: str, location: str, home: str) -> None:
    """It may lead from Tableau Cloud's generic host to a pod, from http to https, and anywhere on loopback."""
    assert redirects.new_server(url, {"Location": location}, 302) == home


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("https://online.tableau.com/api/x", "http://10ax.online.tableau.com/api/x"),
        ("https://online.tableau.com/api/x", "https://evil.example.org/api/x"),
        ("https://online.tableau.com/api/x", "https://online.tableau.com.evil.org/api/x"),
        ("https://online.tableau.com/api/x", "https://evilonline.tableau.com/api/x"),
        ("https://online.tableau.com/api/x", "https://u:p@10ax.online.tableau.com/api/x"),
        ("https://bi.example.org/api/x", "https://sso.example.org/api/x"),
        ("https://bi.example.org/api/x", "https://bi.example.org/login"),
        ("https://bi.example.org/api/x", "https://bi.example.org:8443/api/x"),
        ("https://bi.example.org/api/x", "https://:p@bi.example.org/api/x"),
        ("https://bi.example.org/api/x", "https://bi.example.org:99999/api/x"),
        ("https://bi.example.org/api/x", "https://[bi/api/x"),
        ("https://bi.example.org/api/x", "ftp://bi.example.org/api/x"),
        ("https://bi.example.org/api/x", "https://b\u0131.example.org/api/x"),
        ("https://bi.example.org/api/x", "https://a.bi.example.org/api/x?" + "x" * 5000),
        ("https://bi.example.org/api/x", ""),
    ],
)
def test_any_other_redirect_is_refused(url: str, location: str) -> None:
    """It must not lead to http, to a foreign domain, to another port, or to a login page; a temporary one may end."""
    for status, permanent in {301: True, 302: False, 307: False, 308: True}.items():
        with pytest.raises(errors.InvalidResponse, match="not followed") as raised:
            redirects.new_server(url, {"Location": location}, status)
        assert raised.value.permanent is permanent


def test_tokens_are_masked_in_details() -> None:
    """A token that a server repeats does not appear in logs."""
    found = error(400, b'{"error":{"code":"400000","summary":"S","detail":"X-Tableau-Auth: abc|def|123 was bad"}}')
    assert "abc|def" not in str(found)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidResponse),
        (401, errors.InvalidResponse),
        (403, errors.InvalidResponse),
        (404, errors.InvalidResponse),
        (407, errors.InvalidResponse),
        (409, errors.InvalidResponse),
        (413, errors.InvalidResponse),
        (302, errors.InvalidResponse),
        (408, errors.BadRequest),
        (429, errors.TooManyRequests),
        (502, errors.ServerError),
    ],
)
@pytest.mark.parametrize("body", [b"<html><title>Blocked by the proxy</title></html>", b'{"message": "Blocked by"}'])
def test_an_error_that_is_not_tableaus_is_called_so(status: int, kind: type[errors.TableauError], body: bytes) -> None:
    """It quotes the response, is not permanent, and never means that content or a right is missing."""
    found = error(status, body)
    assert type(found) is kind
    assert "Blocked by" in str(found)
    assert not found.permanent


def test_a_deeply_nested_document_is_an_error() -> None:
    """Neither JSON nor XML can exhaust the stack."""
    for body in (b"[" * 100_000, b'{"a":' * 100_000, b"<a>" * 100_000 + b"</a>" * 100_000):
        with pytest.raises(errors.InvalidResponse):
            responses.document(body)


def test_a_long_error_is_shortened() -> None:
    """A server cannot fill logs and messages."""
    body = b'{"error":{"code":"%s","summary":"%s","detail":"%s"}}' % (b"4" * 10_000, b"s" * 10_000, b"d" * 100_000)
    assert len(str(error(400, body))) < 3000
    assert len(str(error(502, b"x" * 100_000))) < 1000


def test_a_long_list_in_xml_is_read_in_linear_time() -> None:
    """A hundred thousand items take no more than a second or two."""
    started = time.process_time()
    found = responses.document(b"<r><ws>" + b'<w id="1"/>' * 100_000 + b"</ws></r>")
    assert len(found["ws"]["w"]) == 100_000
    assert time.process_time() - started < 5


@pytest.mark.parametrize("value", ["Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "x" * 100_000, "\u0663"])
def test_a_hostile_retry_after_is_ignored(value: str) -> None:
    """A date that does not exist, a very long text and digits of another script are no time to retry."""
    assert error(429, b'{"error":{"code":"429000"}}', Retry_After=value).retry_at is None
