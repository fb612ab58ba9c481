"""The simulator's page, in a real browser."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import slack_sdk
from playwright.sync_api import Page, Request, expect, sync_playwright

from simulator import Running

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")


@pytest.fixture
def page(simulator: Running) -> Iterator[Page]:
    """Open the page in Chromium; an error in its script fails the test."""
    if not Path(CHROMIUM).exists() or not CHROMIUM:
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail("Chromium is not installed")
        pytest.skip("Chromium is not installed")
    problems: list[str] = []

    def note_failure(request: Request) -> None:
        # Leaving the page aborts what is still loading.
        if request.failure != "net::ERR_ABORTED":
            problems.append(f"{request.url}: {request.failure}")

    # A limit for a hang; a loaded machine needs more than the default of 5 s.
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
        opened.on("requestfailed", note_failure)
        opened.goto(simulator.url)
        yield opened
        # A round trip delivers what has happened so far; closing the browser ends requests that are still running.
        opened.evaluate("0")
        found = list(problems)
        browser.close()
    assert found == []


@pytest.mark.browser
def test_button_leads_to_a_message(page: Page, rest: Any, receiver: Any, slack: slack_sdk.WebClient) -> None:
    """After a click the refresh fails, the webhook is delivered, and the server's message appears."""
    page.evaluate("window.unharmed = true")
    destination = {"webhook-destination-http": {"method": "POST", "url": receiver.url}}
    webhook = {"name": "ours", "event": "WorkbookRefreshFailed", "webhook-destination": destination}
    assert rest.call("POST", "webhooks", json={"webhook": webhook}).status_code == 201
    hostile = "<script>window.unharmed=false</script><img src=x onerror=window.unharmed=false>"
    blocks = [
        {"type": "header", "text": {"type": "plain_text", "text": "Refresh failed: Sales"}},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*Owner* {hostile} `<b>`"}},
    ]
    receiver.on_request = lambda: slack.chat_postMessage(channel="#finance-data", text="failed", blocks=blocks)
    page.get_by_label("Workbook", exact=True).select_option(label="Sales")
    page.get_by_role("button", name="Refresh fails").first.click()
    expect(page.locator("#toast")).to_contain_text("WorkbookRefreshFailed: Sales → 1 webhook")
    expect(page.locator(".message .header")).to_have_text("Refresh failed: Sales")
    expect(page.locator(".message b").nth(1)).to_have_text("Owner")
    expect(page.locator("#deliveries .row")).to_contain_text("WorkbookRefreshFailed")
    assert "s3cret" not in page.content()
    assert page.evaluate("window.unharmed") is True


@pytest.mark.browser
def test_notice_is_drawn_as_slack_draws_it(page: Page, slack: slack_sdk.WebClient) -> None:
    """A table has its rows, times and mentions are words, and a text without emoji codes is shown as it is."""
    date = {"type": "date", "timestamp": 1, "format": "{time}", "fallback": "09:30 UTC"}
    time = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [date]}]}
    rows = [[{"type": "raw_text", "text": text} for text in ("Workbook", "Since")]]
    rows.append([{"type": "raw_text", "text": "<b> & *x*"}, time])
    fact = "Since\n<!date^1^{time}|09:30 UTC> <!here>"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": ":bell: A &amp; B", "emoji": False}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": fact, "verbatim": True}]},
        {"type": "data_table", "caption": "c", "rows": rows},
    ]
    slack.chat_postMessage(channel="#bi", text="x", blocks=blocks)
    expect(page.locator(".message .header")).to_have_text(":bell: A & B")
    expect(page.locator(".message .fields")).to_have_text("Since09:30 UTC @here")
    expect(page.locator(".message table th")).to_have_text(["Workbook", "Since"])
    expect(page.locator(".message table td")).to_have_text(["<b> & *x*", "09:30 UTC"])


@pytest.mark.browser
def test_fault_is_switched_on_and_off(page: Page, simulator: Running) -> None:
    """The button of a fault shows that it is on, and the list switches it off."""
    page.get_by_role("button", name="Slack down").click()
    expect(page.get_by_role("button", name="Slack down")).to_have_attribute("aria-pressed", "true")
    assert [fault.kind for fault in simulator.world.faults.on()] == ["refuse"]
    page.locator("#faults button").click()
    expect(page.get_by_role("button", name="Slack down")).to_have_attribute("aria-pressed", "false")
    assert simulator.world.faults.on() == []


@pytest.mark.browser
def test_unchanged_messages_are_not_drawn_again(page: Page, slack: slack_sdk.WebClient) -> None:
    """A new message is added, and the elements of the old ones stay."""
    slack.chat_postMessage(channel="#bi", text="first")
    expect(page.locator(".message")).to_have_count(1)
    page.evaluate("document.querySelector('.message').dataset.mine = 'yes'")
    slack.chat_postMessage(channel="#bi", text="second")
    expect(page.locator(".message")).to_have_count(2)
    assert page.locator(".message").first.get_attribute("data-mine") == "yes"


@pytest.mark.browser
def test_buttons_come_first_on_a_telephone(page: Page, slack: slack_sdk.WebClient) -> None:
    """At 375 px the buttons are on the first screen, and a long list of messages scrolls in its own box."""
    page.set_viewport_size({"width": 375, "height": 812})
    page.reload()
    for number in range(40):
        slack.chat_postMessage(channel="#bi", text=f"message {number}\nwith a second line")
    expect(page.locator(".message")).to_have_count(40)
    button = page.get_by_role("button", name="Refresh fails").first.bounding_box()
    assert button
    assert button["y"] + button["height"] < 812
    assert page.evaluate("document.documentElement.scrollHeight") < 5 * 812
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_page_loads_nothing_from_other_hosts(simulator: Running) -> None:
    """The page and its files name no other host, and its content security policy allows none."""
    page = requests.get(simulator.url, timeout=30)
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    static = Path(simulator.app.static_folder or "")
    for text in [
        page.text,
        *(path.read_text() for path in static.glob("*.css")),
        *(p.read_text() for p in static.glob("*.js")),
    ]:
        assert "://" not in text.replace("http://127.0.0.1", "")


def test_feed_is_empty_without_changes(simulator: Running) -> None:
    """A caller with the newest data gets 204."""
    first = requests.get(f"{simulator.url}/simulator/feed", timeout=30).json()
    again = requests.get(f"{simulator.url}/simulator/feed", params={"since": first["stamp"]}, timeout=30)
    assert again.status_code == 204


@pytest.mark.browser
def test_link_into_tableau_opens_a_card(page: Page, simulator: Running, rest: Any, slack: slack_sdk.WebClient) -> None:
    """The web address of a workbook opens its picture and facts, and the card closes again."""
    book = rest.get("workbooks?filter=name:eq:Overdue Invoices")["workbooks"]["workbook"][0]
    slack.chat_postMessage(channel="#bi", text=f"<{book['webpageUrl']}|Open>")
    page.get_by_role("link", name="Open").click()
    expect(page.locator("#card h3")).to_have_text("Overdue Invoices")
    expect(page.locator("#card .jobs")).to_contain_text("Out of disk space")
    expect(page.locator("#card img")).to_have_js_property("naturalWidth", 480)
    page.locator("#card button").click()
    expect(page.locator("#card")).to_be_hidden()


@pytest.mark.browser
def test_http_api_can_be_read(page: Page) -> None:
    """Its description opens over the page, wide enough for its lines."""
    page.get_by_role("button", name="HTTP API").click()
    text = page.locator("#manual pre")
    expect(text).to_contain_text("POST   /simulator/events")
    assert text.evaluate("it => it.scrollWidth <= it.clientWidth")
    page.locator("#manual button").click()
    expect(text).to_be_hidden()


def test_cards_are_found_by_address(simulator: Running, rest: Any) -> None:
    """Missing content is 404; views are found by their names, data sources by their number."""
    base = f"{simulator.url}/simulator/content"
    assert requests.get(f"{base}/workbooks/1", timeout=30).status_code == 404
    assert requests.get(f"{base}/picture/x", timeout=30).status_code == 404
    assert requests.get(f"{base}/views/Sales/Overview", timeout=30).json()["name"] == "Overview"
    number = rest.get("datasources?filter=name:eq:Orders")["datasources"]["datasource"][0]["webpageUrl"].split("/")[-1]
    card = requests.get(f"{base}/datasources/{number}", timeout=30).json()
    assert ["Certified", "Checked by the stewards"] in card["facts"]


BUTTON = {"type": "button", "text": {"type": "plain_text", "text": "Acknowledge"}, "action_id": "ack"}


@pytest.mark.browser
def test_button_of_a_message_is_pressed(page: Page, receiver: Any, control: Any, slack: slack_sdk.WebClient) -> None:
    """A press reaches the app as the chosen person; a server without buttons is shown as an error at the message."""
    control("POST", "settings", {"slack_interactions_url": receiver.url})
    blocks = [{"type": "actions", "elements": [BUTTON]}]
    sent = slack.chat_postMessage(channel="#bi", text="Refresh failed", blocks=blocks)
    receiver.statuses = [404, 200]
    receiver.on_request = lambda: slack.chat_update(
        channel=sent["channel"], ts=sent["ts"], text="Acknowledged", blocks=blocks
    )
    page.get_by_label("Slack user").select_option(label="Ben Duarte")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#toast")).to_contain_text("The app responded with 404")
    expect(page.locator(".failed")).to_contain_text("404")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator("#toast")).to_contain_text("Pressed Acknowledge: the app responded with 200")
    expect(page.locator(".failed")).to_have_count(0)
    expect(page.locator(".message .edited")).to_have_text("(edited)")
    assert b"Ben" not in receiver.requests[-1][2]
    assert b"ben" in receiver.requests[-1][2]


@pytest.mark.browser
def test_thread_is_shown_under_its_message(page: Page, slack: slack_sdk.WebClient) -> None:
    """Replies are inside their message, an edit of the root keeps them there, and reactions are shown."""
    sent = slack.chat_postMessage(channel="#bi", text="root")
    where = {"channel": sent["channel"], "ts": sent["ts"]}
    slack.chat_postMessage(channel="#bi", text="closed", thread_ts=sent["ts"], reply_broadcast=True)
    slack.chat_update(**where, text="recovered")
    slack.reactions_add(channel=sent["channel"], timestamp=sent["ts"], name="eyes")
    root = page.locator("#messages > .message")
    expect(root).to_have_count(1)
    expect(root.locator("> div > .said")).to_have_text("recovered")
    expect(root.locator(".thread .said")).to_have_text("closed")
    expect(root.locator(".reaction")).to_have_text("👀 1")
