"""The Host header and odd requests: no response repeats the host or redirects to it, and each refusal is a problem."""

from __future__ import annotations

import json

import pytest

from tests.support.server import TOKEN, Server, send_lines

TARGETS = (
    "OPTIONS *",
    "OPTIONS /",
    "OPTIONS /webhook",
    "OPTIONS //webhook",
    "OPTIONS http://{host}",
    "GET /",
    "GET //healthz",
    "GET /healthz/",
    "GET //{host}/",
    "GET //{host}/%2e%2e",
    "GET /\\{host}",
    "GET /%0d%0aSet-Cookie:x",
    "GET http://{host}/healthz",
    "GET http://{host}//healthz",
    "GET /webhook",
    f"POST //webhook/{TOKEN}",
    f"POST /webhook//{TOKEN}",
    f"POST /webhook/{TOKEN}/",
    "CONNECT {host}:443",
)


def response(server: Server, request: str, headers: list[str]) -> str:
    """Return the whole response to a request with exactly these header lines."""
    return send_lines(server, [f"{request} HTTP/1.1", *headers, "Connection: close", "Content-Length: 2"], "{}")


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("names", [["Host"], ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL"]], ids=len)
def test_host_is_not_repeated(server: Server, target: str, names: list[str]) -> None:
    """A cache in front cannot be poisoned and no link points to another site, whatever host a client names."""
    text = response(server, target.format(host="evil.example"), [f"{name}: evil.example" for name in names])
    head, _, body = text.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.1 ")
    assert "evil.example" not in text
    assert not {"location", "set-cookie"} & {line.partition(":")[0].lower() for line in head.splitlines()}
    assert not head.startswith("HTTP/1.1 5")
    assert "Traceback" not in body


@pytest.mark.parametrize(
    "host", ["", "evil.example@127.0.0.1", "a b", "evil.example:99999", "[::1", "x" * 5000, "\u00e9"]
)
def test_invalid_hosts_cause_no_error(server: Server, host: str) -> None:
    """The application does not need the host, so an invalid one is refused or ignored, never a 500."""
    status = response(server, "GET /healthz", [f"Host: {host}"]).split()[1]
    assert status in {"200", "400"}


def test_two_hosts_are_no_error(server: Server) -> None:
    """A proxy and a server that choose different ones cannot disagree about anything."""
    text = response(server, "GET /healthz", ["Host: a.example", "Host: evil.example"])
    assert text.split()[1] in {"200", "400"}
    assert "evil.example" not in text


CHUNKED = ["Host: localhost", "Sec-Fetch-Site: same-origin", "Transfer-Encoding: chunked"]


@pytest.mark.parametrize(
    ("request_line", "headers", "body", "expected"),
    [
        ("GET *", [], "", (400, "Bad Request")),
        ("get /healthz", [], "", (400, "Bad Request")),
        (f"GET /{'x' * 5000}", [], "", (414, "URI Too Long")),
        ("GET /healthz", ["Expect: tea"], "", (417, "Expectation Failed")),
        ("GET /healthz", [f"X: {'x' * 9000}"], "", (431, "Request Header Fields Too Large")),
        ("GET /healthz", ["X: \x01"], "", (400, "Bad Request")),
        ("POST /webhook", ["Transfer-Encoding: tea"], "", (501, "Not Implemented")),
        (f"POST /webhook/{TOKEN}", CHUNKED, "zz\r\n{}\r\n", (400, "Bad Request")),
        (
            "POST /api/v1/incidents/1/note",
            [*CHUNKED, "Content-Type: application/json"],
            "zz\r\n{}\r\n",
            (400, "Bad Request"),
        ),
        (
            "POST /incidents/1/note",
            [*CHUNKED, "Content-Type: application/x-www-form-urlencoded"],
            "zz\r\nnote=x\r\n",
            (400, "Bad Request"),
        ),
        (
            "POST /api/v1/incidents/1/note",
            [*CHUNKED, "Content-Type: application/json"],
            f"20000\r\n{'{}':131072}\r\n0\r\n\r\n",
            (413, "Content Too Large"),
        ),
        ("POST /mcp", [*CHUNKED, "Content-Type: application/json"], "zz\r\n{}\r\n", (400, "Bad Request")),
    ],
)
def test_requests_that_cannot_be_read_get_a_problem(
    server: Server, request_line: str, headers: list[str], body: str, expected: tuple[int, str]
) -> None:
    """Also those that the application never sees; the detail says what is wrong."""
    before = server.log.read_text()
    head, _, document = send_lines(server, [f"{request_line} HTTP/1.1", "Connection: close", *headers], body).partition(
        "\r\n\r\n"
    )
    problem = json.loads(document)
    assert "Content-Type: application/problem+json" in head
    assert (problem["status"], problem["title"]) == expected
    assert int(head.split()[1]) == expected[0]
    assert len(problem["detail"]) > 10
    assert "Traceback" not in server.log.read_text().removeprefix(before)
