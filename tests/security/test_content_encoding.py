"""Compressed requests: unpacked within the limit where programs send JSON, and refused with a reason elsewhere."""

from __future__ import annotations

import gzip
import json
import re
import zlib

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from tests.dashboard.conftest import SAME_ORIGIN
from webhooks.app import create_app
from webhooks.config.settings import Settings
from webhooks.event import MAX_BYTES

PING = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "ping"}).encode()
JSON, HOOK = "application/json", "/webhook/token-of-the-test"


@pytest.fixture
def app(settings: Settings) -> Flask:
    """Return an application in which every endpoint is configured."""
    secrets = {
        "slack_signing_secret": SecretStr("signing"),
        "twilio_auth_token": SecretStr("t" * 32),
        "pagerduty_webhook_secret": SecretStr("secret-of-the-subscription"),
    }
    return create_app(settings.model_copy(update={**secrets, "public_url": "https://hooks.acme.example"}))


def post(client: FlaskClient, path: str, body: bytes, coding: str) -> tuple[int, str | None, str]:
    """Return the status, the codings that are accepted, and the text."""
    headers = {"Content-Encoding": coding, **SAME_ORIGIN}
    response = client.post(path, data=body, content_type=JSON, headers=headers)
    return response.status_code, response.headers.get("Accept-Encoding"), response.text


def test_no_address_reads_a_body_in_an_unknown_coding(app: Flask) -> None:
    """Every address that takes a body says which codings it accepts."""
    client, seen = app.test_client(), {}
    for rule in app.url_map.iter_rules():
        if "POST" in (rule.methods or ()):
            path = re.sub(r"<[^>]+>", "1", rule.rule if "webhook/" not in rule.rule else HOOK)
            seen[path] = post(client, path, b"{}", "br")[:2]
    # Replies by SMS are not configured; /webhook has no token.
    assert (seen.pop("/twilio/messages")[0], seen.pop("/webhook")[0]) == (404, 401)
    assert set(seen.values()) == {(415, "identity"), (415, "gzip, deflate")}
    assert {path for path, found in seen.items() if "gzip" in str(found)} >= {"/mcp", HOOK, "/api/v1/silences"}


@pytest.mark.parametrize(("path", "body"), [("/mcp", PING), ("/api/v1/silences", b"{}"), (HOOK, b"{}")])
def test_json_is_unpacked_within_the_limit(app: Flask, path: str, body: bytes) -> None:
    """It counts as if it were not compressed; an invalid or huge one is refused with the reason."""
    client = app.test_client()
    plain = post(client, path, body, "identity")
    assert plain[0] in {200, 422}
    assert (
        post(client, path, gzip.compress(body), "GZip") == post(client, path, zlib.compress(body), "deflate") == plain
    )
    bomb = gzip.compress(b" " * 50_000_000)
    for wrong, status, reason in (
        (bomb, 413, f"{MAX_BYTES // 1024} KiB"),
        (gzip.compress(body)[:-4], 400, "incomplete"),
        (body, 400, "not gzip"),
    ):
        found = post(client, path, wrong, "gzip")
        assert found[0] == status
        assert reason in found[2]
