"""The pages of a running server in a browser: act on them, and see Slack change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from simulator import Running
from tests.acceptance.simulation import cause, inject_fault, remove_faults, slack_messages
from tests.deploy.tools import missing
from tests.support.server import Server, serving, wait_for

PASSWORD = "password-of-the-test"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
TIMEOUT = 60_000


@pytest.fixture
def page() -> Iterator[Page]:
    """Open Chromium; an error in a script, or something that the policy blocks, fails the test."""
    if not CHROMIUM:
        missing("Chromium is not installed")
    expect.set_options(timeout=TIMEOUT)
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.set_default_timeout(TIMEOUT)
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        yield opened
        browser.close()
    assert problems == []


def sign_in(page: Page, server: Server) -> None:
    page.goto(server.url)
    page.get_by_label("Your name").fill("Ann Lee")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.browser
def test_acknowledgement_on_a_page_changes_slack(
    page: Page, site: Running, register: Callable[[Server], None], tmp_path: Path
) -> None:
    """Sign in, look at the incident, acknowledge it: the message in Slack names the person, as does the audit log."""
    with serving(tmp_path, site.environment, ADMIN_PASSWORD=PASSWORD) as server:
        register(server)
        cause(site, event_type="WorkbookRefreshFailed", name="Sales", reason="Disk full")
        wait_for(lambda: any(one["text"].startswith("Failing: ") for one in slack_messages(site)), what="the message")
        sign_in(page, server)
        expect(page.locator("h1")).to_contain_text("broken")
        card = page.locator(".incident", has_text="Sales")
        expect(card).to_contain_text("notified #")
        card.get_by_role("link", name="Sales").click()
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".timeline")).to_contain_text("acknowledged by Ann Lee")
        acknowledged = "Acknowledged by: Ann Lee"
        wait_for(lambda: any(acknowledged in one["text"] for one in slack_messages(site)), what="the edit")
        page.get_by_role("button", name="Refresh again").click()
        # The open page shows by itself what comes of it.
        expect(page.locator(".timeline")).to_contain_text("refresh started by Ann Lee")
        expect(page.locator(".timeline")).to_contain_text("Recovered after")
        page.goto(f"{server.url}/audit")
        expect(page.locator("tbody")).to_contain_text("refresh")
        assert server.flask("audit", "verify").returncode == 0
        assert requests.get(server.url, timeout=30).status_code == 401


@pytest.mark.browser
def test_dead_letter_is_replayed_on_a_page(
    page: Page, site: Running, register: Callable[[Server], None], tmp_path: Path
) -> None:
    """A message that could not be delivered is listed with its cause; once that is fixed, it is sent from the page."""
    with serving(tmp_path, site.environment, ADMIN_PASSWORD=PASSWORD) as server:
        register(server)
        inject_fault(site, kind="error", code="channel_not_found", target="slack", path="chat.postMessage")
        cause(site, event_type="AdminPromoted")
        sign_in(page, server)
        page.goto(f"{server.url}/dead-letters")
        # The page looks for news by itself.
        expect(page.locator("#list")).to_contain_text("channel_not_found")
        remove_faults(site)
        page.get_by_role("button", name="Replay").first.click()

        def is_delivered() -> bool:
            texts = [one["text"] for one in slack_messages(site)]
            return any("AdminPromoted" in text and "deliver" not in text.lower() for text in texts)

        wait_for(is_delivered, what="the message")
        page.goto(f"{server.url}/events?type=AdminPromoted")
        expect(page.locator("tbody")).to_contain_text("done")
