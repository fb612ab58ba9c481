"""The page for people, in a real browser."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import slack_sdk
from playwright.sync_api import Page, expect, sync_playwright

from simulator import Running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


@pytest.fixture
def page(simulator: Running) -> Iterator[Page]:
    """The page, open in Chromium; it fails the test if its script does."""
    if not Path(CHROMIUM).exists() or not CHROMIUM:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed")
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        opened.on("requestfailed", lambda request: problems.append(request.url))
        opened.goto(simulator.url)
        yield opened
        browser.close()
    assert problems == []


@pytest.mark.browser
def test_button_leads_to_a_message_on_the_page(
    page: Page, rest: Any, receiver: Any, slack: slack_sdk.WebClient
) -> None:
    """Pressed: the refresh fails, the webhook is delivered, and what the server says about it is shown."""
    page.evaluate("window.unharmed = true")
    destination = {"webhook-destination-http": {"method": "POST", "url": receiver.url}}
    wish = {"name": "ours", "event": "WorkbookRefreshFailed", "webhook-destination": destination}
    assert rest.call("POST", "webhooks", json={"webhook": wish}).status_code == 201
    hostile = "<script>window.unharmed=false</script><img src=x onerror=window.unharmed=false>"
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Refresh failed: Sales"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*Owner* {hostile} `<b>`"}},
    ]
    receiver.on_request = lambda: slack.chat_postMessage(channel="#finance-data", text="failed", blocks=blocks)
    page.get_by_label("Which workbook").select_option(label="Sales")
    page.get_by_role("button", name="Refresh fails").first.click()
    expect(page.locator("#toast")).to_contain_text("WorkbookRefreshFailed: Sales → 1 webhook")
    expect(page.locator(".message .header")).to_have_text("Refresh failed: Sales")
    expect(page.locator(".message b").nth(1)).to_have_text("Owner")
    expect(page.locator("#deliveries .row")).to_contain_text("WorkbookRefreshFailed")
    assert "s3cret" not in page.content()
    assert page.evaluate("window.unharmed") is True


@pytest.mark.browser
def test_fault_is_switched_on_and_off(page: Page, simulator: Running) -> None:
    """A fault's button shows that it is on, and the list switches it off."""
    page.get_by_role("button", name="Slack down").click()
    expect(page.get_by_role("button", name="Slack down")).to_have_attribute("aria-pressed", "true")
    assert [fault.kind for fault in simulator.world.faults.on()] == ["refuse"]
    page.locator("#faults button").click()
    expect(page.get_by_role("button", name="Slack down")).to_have_attribute("aria-pressed", "false")
    assert simulator.world.faults.on() == []


@pytest.mark.browser
def test_page_leaves_alone_what_did_not_change(page: Page, slack: slack_sdk.WebClient) -> None:
    """A new message is added without drawing the old ones again."""
    slack.chat_postMessage(channel="#bi", text="first")
    expect(page.locator(".message")).to_have_count(1)
    page.evaluate("document.querySelector('.message').dataset.mine = 'yes'")
    slack.chat_postMessage(channel="#bi", text="second")
    expect(page.locator(".message")).to_have_count(2)
    assert page.locator(".message").first.get_attribute("data-mine") == "yes"


def test_page_asks_nothing_of_other_hosts(simulator: Running) -> None:
    """The page and what it loads name no other host, and the policy would not let them."""
    page = requests.get(simulator.url, timeout=5)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    static = Path(simulator.app.static_folder or "")
    for text in [
        page.text,
        *(path.read_text() for path in static.glob("*.css")),
        *(p.read_text() for p in static.glob("*.js")),
    ]:
        assert "://" not in text.replace("http://127.0.0.1", "")


def test_feed_says_nothing_when_nothing_is_new(simulator: Running) -> None:
    """Who has seen it all gets 204."""
    first = requests.get(f"{simulator.url}/simulator/feed", timeout=5).json()
    again = requests.get(f"{simulator.url}/simulator/feed", params={"since": first["stamp"]}, timeout=5)
    assert again.status_code == 204


@pytest.mark.browser
def test_link_into_tableau_opens_a_card(page: Page, simulator: Running, rest: Any, slack: slack_sdk.WebClient) -> None:
    """The address REST gives for a workbook leads to its picture and facts, and the card closes again."""
    book = rest.get("workbooks?filter=name:eq:Overdue Invoices")["workbooks"]["workbook"][0]
    slack.chat_postMessage(channel="#bi", text=f"<{book['webpageUrl']}|Open>")
    page.get_by_role("link", name="Open").click()
    expect(page.locator("#card h3")).to_have_text("Overdue Invoices")
    expect(page.locator("#card .jobs")).to_contain_text("Out of disk space")
    expect(page.locator("#card img")).to_have_js_property("naturalWidth", 480)
    page.locator("#card button").click()
    expect(page.locator("#card")).to_be_hidden()


@pytest.mark.browser
def test_manual_of_the_control_can_be_read(page: Page) -> None:
    """It opens over the page, wide enough for its lines."""
    page.get_by_role("button", name="The same by HTTP").click()
    text = page.locator("#manual pre")
    expect(text).to_contain_text("POST   /simulator/events")
    assert text.evaluate("it => it.scrollWidth <= it.clientWidth")
    page.locator("#manual button").click()
    expect(text).to_be_hidden()


def test_addresses_that_lead_nowhere_say_so(simulator: Running, rest: Any) -> None:
    """What is gone is 404; views are found by their names, data sources by their number."""
    base = f"{simulator.url}/simulator/content"
    assert requests.get(f"{base}/workbooks/1", timeout=5).status_code == 404
    assert requests.get(f"{base}/picture/x", timeout=5).status_code == 404
    assert requests.get(f"{base}/views/Sales/Overview", timeout=5).json()["name"] == "Overview"
    number = rest.get("datasources?filter=name:eq:Orders")["datasources"]["datasource"][0]["webpageUrl"].split("/")[-1]
    card = requests.get(f"{base}/datasources/{number}", timeout=5).json()
    assert ["Certified", "Checked by the stewards"] in card["facts"]
