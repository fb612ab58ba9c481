"""Errors of addresses and pages: a person in a browser gets a page with a way back, a program problem details."""

from __future__ import annotations

from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import text

from tests.dashboard.conftest import BASIC, SAME_ORIGIN, services_of

NAVIGATION = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
# What browsers send for an address, https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/Content_negotiation
BROWSERS: list[dict[str, str]] = [
    {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", **NAVIGATION},
    # Over http to another machine, browsers send no Sec-Fetch headers.
    {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    {"Accept": "*/*", **NAVIGATION},
]
# curl, an app on a telephone, a program that asks for JSON, and the script of an open page.
PROGRAMS: list[dict[str, str]] = [
    {"Accept": "*/*"},
    {},
    {"Accept": "application/json"},
    {"Accept": "*/*", "X-Poll": "1"},
]
# Addresses, with the status for those who may see the pages, and for those who have not signed in.
ADDRESSES = {
    "/nope": (404, 404),
    "/incidents/999999": (404, 303),
    "/incidents/x": (404, 404),
    "/incidents/14/": (404, 303),
    "/resources/unknown": (404, 303),
    "/events/0": (404, 303),
    f"/events/{'9' * 30}": (404, 404),
    "/events?period=x": (400, 303),
    "/logout": (405, 405),
    "/tokens/3/revoke": (405, 405),
    "/webhook": (405, 405),
}


def is_page(response: Any) -> bool:
    """Return whether it is a page with a way back; False for problem details."""
    if response.mimetype == "application/problem+json":
        assert {"title", "status", "detail"} <= set(response.json)
        assert response.json["status"] == response.status_code
        return False
    assert response.mimetype == "text/html"
    assert '<a href="/">Back to the first page</a>' in response.text
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "@version@" not in response.text
    return True


def test_people_get_a_page_and_programs_a_problem(client: FlaskClient, protected: FlaskClient) -> None:
    """On every address that leads nowhere, with a sign-in and without."""
    for path, (known, unknown) in ADDRESSES.items():
        for headers in BROWSERS:
            for response in (client.get(path, headers=headers), protected.get(path, headers=headers, auth=BASIC)):
                assert (response.status_code, is_page(response)) == (known, True), (path, headers)
            response = protected.get(path, headers=headers)
            assert response.status_code == unknown, (path, headers)
            assert unknown == 303 or is_page(response), (path, headers)
        for headers in PROGRAMS:
            for response in (client.get(path, headers=headers), protected.get(path, headers=headers, auth=BASIC)):
                assert (response.status_code, is_page(response)) == (known, False), (path, headers)
            response = protected.get(path, headers=headers)
            refused = 401 if unknown == 303 else unknown
            assert (response.status_code, is_page(response)) == (refused, False), (path, headers)


def test_errors_of_pages_have_the_navigation(client: FlaskClient, protected: FlaskClient) -> None:
    """Someone who may see the pages finds the others beside the error; a stranger does not learn what there is."""
    assert 'href="/resources">Resources</a>' in client.get("/incidents/999999", headers=BROWSERS[0]).text
    for path in ("/nope", "/logout"):
        assert "Resources" not in protected.get(path, headers=BROWSERS[0]).text


def test_refused_forms_lead_back(client: FlaskClient) -> None:
    """An act on an incident that does not exist, and a form of another site, end with a page for a person."""
    for headers, status in ((SAME_ORIGIN, 404), ({"Sec-Fetch-Site": "cross-site"}, 403)):
        response = client.post("/incidents/999999/note", headers={**BROWSERS[1], **headers})
        assert (response.status_code, is_page(response)) == (status, True)
        response = client.post("/incidents/999999/note", headers=headers)
        assert (response.status_code, is_page(response)) == (status, False)


def test_interfaces_of_programs_answer_programs(client: FlaskClient) -> None:
    """The API has problem details for a browser, too."""
    response = client.get("/api/v1/nope", headers=BROWSERS[0])
    assert (response.status_code, is_page(response)) == (404, False)


def test_a_damaged_inbox_says_nothing(client: FlaskClient) -> None:
    """A failure within a page ends with a page for a person and with a problem for a program, without details."""
    services_of(client).inbox.store.execute(text("DROP TABLE rule_versions"))
    for headers, page in ((BROWSERS[0], True), ({}, False)):
        response = client.get("/rules", headers=headers)
        assert (response.status_code in {500, 503}, is_page(response)) == (True, page)
        assert "SELECT" not in response.text
