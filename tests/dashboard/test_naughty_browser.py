"""Test in a real browser that texts which break programs are neither executed nor wider than the screen."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from playwright.sync_api import Browser, Dialog
from werkzeug.serving import make_server

from tests.dashboard.test_browser import browser, open_page
from tests.dashboard.test_naughty_strings import LISTS, details, fill
from tests.support.naughty_strings import NAUGHTY_STRINGS
from webhooks.inbox import Inbox

__all__ = ["browser"]
pytestmark = [pytest.mark.browser, pytest.mark.second_stage]


def test_browser_runs_and_loads_nothing_of_them(app: Flask, inbox: Inbox, browser: Browser) -> None:
    """On a telephone nothing is executed, nothing is requested from elsewhere, and no page is wider than the screen."""
    fill(inbox, NAUGHTY_STRINGS)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        page, problems = open_page(browser, viewport={"width": 360, "height": 800})

        def report(dialog: Dialog) -> None:
            problems.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", report)
        for path in [*LISTS, *details(range(0, len(NAUGHTY_STRINGS), 25))]:
            page.goto(f"http://127.0.0.1:{server.server_port}{path}")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate("document.scripts.length") == 1, path
        assert problems == []
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
