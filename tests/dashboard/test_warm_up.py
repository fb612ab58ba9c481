"""Test that the first page of a process waits for no import and no template."""

from __future__ import annotations

from flask import Flask
from sqlalchemy import text

from tests.dashboard.conftest import fail, services_of
from webhooks.dashboard.render import environment
from webhooks.dashboard.warm_up import warm_up


def compiled() -> set[str]:
    """Return the names of the templates that are compiled."""
    cache = environment().cache
    return {name for _, name in cache.keys()} if cache else set()  # noqa: SIM118 - jinja's cache iterates over keys only


def test_first_pages_are_prepared(app: Flask) -> None:
    """Afterwards the first pages compile no template, and nothing was stored or shown."""
    client = app.test_client()
    inbox = services_of(client).inbox
    record = fail(inbox)
    environment.cache_clear()
    before = inbox.mark()
    warm_up(app)
    # No one has used the pages, and they would take memory.
    assert compiled() == set()
    inbox.sign_ins.start(name="Ann", role="viewer", address="10.0.0.7", password="x")
    warm_up(app)
    prepared = compiled()
    assert {"base.html", "parts.html", "now.html", "login.html", "incidents.html", "incident.html"} <= prepared
    assert inbox.mark() == before
    for path in ("/", "/incidents", f"/incidents/{record.id}", "/login"):
        assert client.get(path).status_code == 200
    assert compiled() == prepared


def test_a_broken_inbox_stops_nothing(app: Flask) -> None:
    """If the first page cannot be rendered, the server goes on, and the page says so."""
    client = app.test_client()
    services_of(client).inbox.sign_ins.start(name="Ann", role="viewer", address="10.0.0.7", password="x")
    services_of(client).inbox.store.execute(text("DROP TABLE incidents"))
    warm_up(app)
    assert client.get("/").status_code in {500, 503}
