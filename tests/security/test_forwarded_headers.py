"""Headers about proxies, from a proxy or a client: they change neither the path nor the response."""

from __future__ import annotations

import pytest

from tests.support.server import TOKEN, Server, send_lines

EVENT = '{"event_type": "WorkbookCreated", "resource_name": "Sales"}'
HOOK = f"POST /webhook/{TOKEN}"


def status(server: Server, request: str, headers: list[str]) -> int:
    """Return the status of the response to a request with exactly these header lines."""
    body = EVENT if request.startswith("POST") else ""
    lines = [f"{request} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *headers]
    return int(send_lines(server, lines, body).split()[1])


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Forwarded-Proto: https", "X-Forwarded-Protocol: https"],
        ["X-Forwarded-Proto: http", "X-Forwarded-Ssl: on"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Proto: http"],
        ["X-Forwarded-Protocol: ssl", "X-Forwarded-Proto: https, http"],
        ["X-Forwarded-Ssl: on", "X-Forwarded-Ssl: off"],
        ["Forwarded: proto=https;proto=http", "X-Forwarded-Proto: wss"],
        ["X-Forwarded-Host: a.example", "X-Forwarded-Prefix: /x", "X-Forwarded-For: 1.2.3.4, unknown"],
        ["SCRIPT_NAME: /x", "PATH_INFO: /metrics", "REMOTE_USER: admin"],
        ["SCRIPT_NAME: /webhook"],
        ["Script-Name: /x", "Path-Info: /x", "X-Script-Name: /x"],
    ],
)
def test_events_are_accepted_whatever_proxies_say(server: Server, headers: list[str]) -> None:
    """The application needs no scheme, host or prefix, so contradictions among them do not matter."""
    assert status(server, HOOK, headers) == 200


@pytest.mark.parametrize("name", ["SCRIPT_NAME", "Script-Name", "script_name", "PATH_INFO", "Path-Info"])
@pytest.mark.parametrize("value", ["/x", "/metrics", "/"])
def test_headers_do_not_change_the_path(server: Server, name: str, value: str) -> None:
    """A path that a proxy allows cannot become one that it blocks, and the reverse."""
    assert status(server, "GET /x/metrics", [f"{name}: {value}"]) == 404
    assert status(server, "GET /x", [f"{name}: {value}"]) == 404
    assert status(server, "GET /healthz", [f"{name}: {value}"]) == 200


@pytest.mark.parametrize(
    "request_line", ["OPTIONS *", "GET http://evil.example/x", "GET //evil.example/x", "GET /x/.."]
)
def test_no_response_repeats_the_host(server: Server, request_line: str) -> None:
    """A redirect to the host that the client names could be stored by a proxy and served to others."""
    received = send_lines(server, [f"{request_line} HTTP/1.1", "Host: evil.example", "Connection: close"])
    assert "evil.example" not in received
    assert received[9:12] == "404"
