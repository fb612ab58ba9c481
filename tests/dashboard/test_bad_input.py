"""Input that breaks programs, in every parameter, path and form of the pages, with both databases."""

from __future__ import annotations

import logging
from collections.abc import Callable
from urllib.parse import quote_from_bytes

import pytest
from flask import Flask

from tests.dashboard.conftest import SAME_ORIGIN, fail
from tests.support.databases import postgres_server, url
from webhooks.dashboard.routes import ROUTES

__all__ = ["postgres_server", "url"]

pytestmark = [pytest.mark.second_stage, pytest.mark.timeout(600)]

TEXTS = (b"a\0b", b"\xed\xa0\x80", b"x" * 3000, b"9" * 30, b"nan-1", b"*a" * 90, b"%'\"\\")
PARAMETERS = ("view", "group", "state", "kind", "project", "owner", "name", "period", "type", "before", "after", "id")
FIELDS = ("act", "all", "id", "next", "name", "project", "owner", "note", "reason", "for", "until", "days", "role")
FIELDS += ("site", "handler", "rule", "error", "event", "after", "view", "state")
PLACES = ("<int:number>", "<luid>", "<name>", "<signed>", "<kind>")
# What the other fields of a form need to be valid.
VALID = {"act": "note", "note": "n", "reason": "r", "name": "n", "for": "1h", "id": "1", "role": "viewer", "days": "9"}


def test_no_input_causes_a_server_error(
    make_app: Callable[..., Flask], url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each value is sent in each parameter, each part of a path and each field."""
    caplog.set_level(logging.CRITICAL)
    app = make_app(database_url=url)
    client, bad = app.test_client(), list[str]()
    record = fail(app.extensions["webhooks"].inbox)

    def send(method: str, path: str, form: str = "") -> None:
        answer = client.open(
            path, method=method, data=form, headers=SAME_ORIGIN, content_type="application/x-www-form-urlencoded"
        )
        if answer.status_code >= 500:
            bad.append(f"{method} {path[:100]} {form[:100]}: {answer.status_code}")

    for route in ROUTES:
        path = route.path.replace("<int:number>", str(record.id)).replace("<luid>", record.incident.resource_luid)
        path = path.replace("<kind>", "note").replace("<name>", "style.css").replace("<signed>", "x")
        for value in (quote_from_bytes(text, safe="") for text in TEXTS):
            places = [place for place in PLACES if place in route.path]
            if places:
                odd = route.path
                for place in places:
                    odd = odd.replace(place, value)
                send(route.method, odd)
            for name in PARAMETERS if route.method == "GET" else ():
                send("GET", f"{path}?{name}={value}")
            for name in FIELDS if route.method == "POST" else ():
                rest = "&".join(f"{key}={valid}" for key, valid in VALID.items() if key != name)
                send("POST", path, f"{name}={value}&{rest}")
    assert bad == []
