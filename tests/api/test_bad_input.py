"""Input that breaks programs, in every operation and tool, with both databases: no response is a 500."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask

from tests.dashboard.conftest import fail
from tests.support.databases import postgres_server, url
from webhooks.api.agents.answers import MAX_BYTES
from webhooks.api.agents.tools import TOOLS
from webhooks.api.blueprint import PREFIX
from webhooks.api.operations import OPERATIONS

__all__ = ["postgres_server", "url"]

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(600)]

TEXTS = (
    *("", "a\0b", "\ud800", "x" * 50_000, "*a" * 90, "[", "'", '"\\', "\r\nX: y", "NaN", "-1", str(2**63), "\u0661"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30T00:00:00Z", "24:00"),
)
NESTED = json.loads("[" * 200 + "]" * 200)
VALUES = (
    *(*TEXTS, None, -1, 2**63, 1e308, NESTED, ["\0"], ["\ud800"], ["a"] * 30, [{}]),
    *({"\0": ["a"]}, {"project": ["\ud800"]}, {"project": "x"}, {"from": "08:00", "to": "08:00"}, {"from": "24:00"}),
)
NUMBERS = ("0", "-1", "9" * 19, "9" * 30, "1.0", "%00", "%d9%a1", "%ff", "1%0a", "0x1", "x" * 3000)
HEADERS = (
    *({"Accept": "*/*;q=x"}, {"Accept": "\xff"}, {"X-HTTP-Method-Override": "DELETE"}, {"Authorization": "Basic !!!"}),
    *({"Authorization": "Bearer \xff\xfe"}, {"Authorization": "Digest x"}, {"Cookie": "session=\x01\xff; ;;="}),
    *({"Host": "\xff"}, {"Content-Encoding": "gzip"}, {"Origin": "null"}, {"MCP-Protocol-Version": "\xff"}),
)
BODIES = (
    b"",
    b"null",
    b"[]",
    b"NaN",
    b"\xff",
    b"\xef\xbb\xbf{}",
    b"{",
    b"{} x",
    b"[" * 50_000,
    b'{"a":' * 900,
    b" " * 70_000,
)
VALID = {
    "until": "2099-12-31T00:00:00Z",
    "note": "n",
    "matchers": {},
    "reason": "r",
    "end": "2099-12-31T00:00:00Z",
    "ids": [1],
}
ARGUMENTS = {"id": 1, "event": 1, "name": "*", "hours": 1, "reason": "r"}


class Sender:
    """Sends requests, and collects those whose responses are not what a program can use."""

    def __init__(self, app: Flask) -> None:
        self._client, self.bad, self.number = app.test_client(), list[str](), 0

    def __call__(self, method: str, path: str, **more: Any) -> None:
        """Send one request. A refusal is a problem document with a detail; an agent gets an error of JSON-RPC."""
        answer = self._client.open(path, method=method, **more)
        self.number += 1
        found = answer.get_json(silent=True, force=True) if answer.status_code >= 400 or path == "/mcp" else {}
        fine = answer.status_code < 500
        if answer.content_type == "application/problem+json":
            fine &= bool(found["detail"])
        elif answer.status_code >= 400:
            fine &= path == "/mcp" and bool(found["error"]["message"])
        for content in (found or {}).get("result", {}).get("content", ()):
            fine &= len(content["text"].encode()) <= MAX_BYTES
        if not fine:
            self.bad.append(f"{method} {path[:100]} {str(more)[:200]}: {answer.status_code} {answer.text[:200]}")

    def ask(self, method: str, params: Any, **more: Any) -> None:
        """Send a request of an agent."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        self("POST", "/mcp", data=body, content_type="application/json", **more)


@pytest.fixture
def send(make_app: Callable[..., Flask], url: str, caplog: pytest.LogCaptureFixture) -> Sender:
    """Return a sender to an application with some events and an incident."""
    caplog.set_level(logging.CRITICAL)
    app = make_app(database_url=url)
    services = app.extensions["webhooks"]
    sender = Sender(app)
    for field in ("resource", "event_type", "resource_name", "site_luid", "resource_luid", "created_at"):
        for value in TEXTS:
            event = {
                "event_type": "WorkbookRefreshFailed",
                "resource_name": "Sales",
                "resource_luid": "x",
                field: value,
            }
            sender("POST", "/webhook/token-of-the-test", data=json.dumps(event))
    while services.inbox.events.plan(services.planner.jobs):
        pass
    fail(services.inbox, reason="\a" + "x" * 3000)
    return sender


def test_no_input_causes_a_server_error(send: Sender) -> None:
    """Each value in each parameter, body, header and path; each refusal says what is wrong."""
    for operation in OPERATIONS:
        path = PREFIX + operation.path.replace("<number>", "1")
        for number in NUMBERS if operation.has_number else ():
            send(operation.method, path.replace("/1", f"/{number}"), json={})
        for luid in NUMBERS if operation.has_luid else ():
            send(operation.method, path.replace("<luid>", luid))
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "FOO"):
            send(method, path)
        for headers in HEADERS:
            send(operation.method, path, headers=headers, data=b"{}", content_type="application/json")
        names = [field.alias or name for name, field in operation.parameters.model_fields.items()]
        (send_bodies if operation.method == "POST" else send_queries)(send, path, names)
    for number in range(1, 60):
        send("GET", f"{PREFIX}/events/{number}")
        send.ask("tools/call", {"name": "explain", "arguments": {"event": number}})
    for name in ("events", "incidents", "runs", "silences", "audit", "rules/versions", "resources", "dead-letters"):
        send("GET", f"{PREFIX}/{name}.csv")
    assert send.number > 1000
    assert send.bad == []


def send_queries(send: Sender, path: str, names: Sequence[str]) -> None:
    """Send each text as each parameter."""
    for name in (*names, "unknown", "\0"):
        for text in TEXTS:
            value = quote_from_bytes(text[:3000].encode("utf-8", "surrogatepass"))
            send("GET", f"{path}?{quote_from_bytes(name.encode())}={value}")


def send_bodies(send: Sender, path: str, names: Sequence[str]) -> None:
    """Send each value in each field, and bodies that are not JSON objects."""
    for name in (*names, "unknown", "\0"):
        for value in VALUES:
            body = {key: given for key, given in VALID.items() if key in names} | {name: value}
            send("POST", path, data=json.dumps(body), content_type="application/json")
    for body in BODIES:
        for content_type in ("application/json", "text/plain", None):
            send("POST", path, data=body, content_type=content_type)


def test_no_agent_causes_a_server_error(send: Sender) -> None:
    """Each value is sent as each argument of each tool, and as each part of the protocol."""
    for tool in TOOLS:
        for name, value in product((*tool.takes.model_fields, "unknown", "\0"), VALUES):
            given = {key: valid for key, valid in ARGUMENTS.items() if key in tool.takes.model_fields} | {name: value}
            send.ask("tools/call", {"name": tool.name, "arguments": given})
    for value, method in product(VALUES, ("initialize", "tools/list", "tools/call", "ping", "server/discover")):
        send.ask(method, value)
        send.ask(method, {"_meta": {"io.modelcontextprotocol/protocolVersion": value}})
        for name in ("name", "arguments", "_meta", "protocolVersion", "cursor"):
            send.ask(method, {name: value})
    for value, key in product(VALUES, ("jsonrpc", "id", "method")):
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping", key: value}
        send("POST", "/mcp", data=json.dumps(body), content_type="application/json")
    for headers in HEADERS:
        send.ask("tools/list", {}, headers=headers)
    for data, content_type in product(BODIES, ("application/json", "text/plain", None)):
        send("POST", "/mcp", data=data, content_type=content_type)
    assert send.number > 1000
    assert send.bad == []
