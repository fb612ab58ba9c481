"""Test the pages in a real browser: sizes, colours, accessibility, keyboard, and that nothing is blocked or foreign."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, Playwright, sync_playwright
from werkzeug.serving import make_server

from bench.page_data import fill
from tests.dashboard.conftest import services_of
from tests.deploy.tools import missing
from webhooks.inbox import Inbox

pytestmark = [pytest.mark.browser, pytest.mark.second_stage]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), "")
AXE = "axe-core@4.14.1"
AXE_DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
WIDTHS = (360, 768, 830, 1280, 1920)
# Where the screenshots of the last run are kept.
PICTURES = os.environ.get("SCREENSHOTS", "")


@pytest.fixture
def url(make_app: Callable[..., Flask], tmp_path: Path) -> Iterator[str]:
    """Serve the pages of an inbox with incidents, runs and dead letters, and return the address."""
    database = f"sqlite:///{tmp_path / 'pages.sqlite3'}"
    inbox = Inbox.open(database)
    fill(inbox, number_of_events=300, number_of_resources=40, number_of_runs=4000)
    inbox.close()
    app = make_app(database_url=database, tableau_sitename="acme")
    services_of(app.test_client()).inbox.audit.record(by="Ann", origin="page", act="note", subject="incident 1")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    """Return Chromium."""
    if not CHROMIUM:
        missing("Chromium is not installed")
    with sync_playwright() as playwright:
        opened = launch(playwright)
        yield opened
        opened.close()


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


def open_page(browser: Browser, **options: Any) -> tuple[Page, list[str]]:
    """Return a page, and the list of everything that it reports as an error or requests from elsewhere."""
    page = browser.new_context(**options).new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("request", lambda one: None if one.url.startswith("http://127.0.0.1:") else problems.append(one.url))
    page.on("response", lambda one: problems.append(f"{one.status} {one.url}") if one.status >= 400 else None)
    return page, problems


def links(page: Page, url: str) -> list[str]:
    """Return the pages of the navigation, and one of each kind behind them."""
    found = [link.get_attribute("href") or "" for link in page.get_by_role("navigation").get_by_role("link").all()]
    details = []
    for path, selector in (
        ("/incidents", "td a[href^='/incidents/']"),
        ("/resources?view=failing", "td a[href^='/resources/']"),
        ("/events?state=dead", "td a[href^='/events/']"),
    ):
        page.goto(url + path)
        details.append(page.locator(selector).first.get_attribute("href") or "")
    return [*found, *details, "/incidents?view=closed", "/dead-letters", "/events/replay?id=1", "/tokens", "/login"]


@pytest.fixture(scope="module")
def axe() -> str:
    """Return axe-core, which npm downloads on first use, by its digest."""
    npm = shutil.which("npm")
    if npm is None:
        missing("npm is not installed")
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "tableau-webhooks-tests"
    script = folder / "package" / "axe.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [str(npm), "pack", "--silent", AXE]
        packed = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
        if packed.returncode:
            missing(f"axe-core: {packed.stderr[-300:]}")
        shutil.unpack_archive(folder / packed.stdout.strip().splitlines()[-1], folder, filter="data")
    source = script.read_bytes()
    assert hashlib.sha256(source).hexdigest() == AXE_DIGEST
    return source.decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, url: str, axe: str, scheme: Any) -> None:
    """No page has a violation of WCAG 2.2, levels A and AA, in either colour scheme."""
    page, problems = open_page(browser, color_scheme=scheme)
    page.goto(url)
    violations: list[str] = []
    for path in links(page, url):
        page.goto(url + path)
        page.evaluate(axe)
        tags = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]
        result = page.evaluate("tags => axe.run(document, {runOnly: tags})", tags)
        for one in result["violations"]:
            violations += [f"{path} {one['id']}: {node['html'][:200]} {node['any'][:1]}" for node in one["nodes"]]
    assert violations == []
    assert problems == []


def test_no_width_scrolls_sideways(browser: Browser, url: str) -> None:
    """From a telephone to a large screen, each page fits; nothing is blocked by the policy or asked from elsewhere."""
    page, problems = open_page(browser)
    page.goto(url)
    for path in links(page, url):
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(url + path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (path, width)
            # The text of a badge is longer if the data is not of today.
            wide = "[...document.images].every(one => (one.width = 5000) && one.offsetWidth <= innerWidth)"
            assert page.evaluate(wide), (path, width)
            if PICTURES:
                name = path.strip("/").replace("/", "-").partition("?")[0] or "now"
                page.screenshot(path=f"{PICTURES}/{name}-{width}.png")
    assert problems == []


def test_incident_is_acknowledged_with_the_keyboard(browser: Browser, url: str) -> None:
    """The first Tab skips the navigation; buttons, menus and the note are reached and used without a mouse."""
    page, problems = open_page(browser)
    page.goto(f"{url}/incidents/1")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Acknowledge":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=Acknowledged.")
    assert page.locator(".timeline").get_by_text("acknowledged by local").count() == 1
    menu = page.locator("#act details.menu")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    assert menu.get_attribute("open") is not None
    page.keyboard.press("Escape")
    assert menu.get_attribute("open") is None
    assert "done=" not in page.url
    assert problems == []


def test_open_page_follows_without_flicker(browser: Browser, url: str) -> None:
    """A change elsewhere appears by itself; what is being typed stays, and what has not changed is the same element."""
    page, problems = open_page(browser)
    page.goto(f"{url}/incidents/1")
    page.locator("#note").fill("half a sen")
    page.evaluate("document.querySelector('header').mark = document.querySelector('aside #facts').mark = 1")
    other, _ = open_page(browser)
    other.goto(f"{url}/incidents/1")
    other.locator("#note").fill("the vendor renamed a column")
    other.get_by_role("button", name="Add note").click()
    page.wait_for_selector("text=note added by local: the vendor renamed a column", timeout=30_000)
    assert page.locator("#note").input_value() == "half a sen"
    assert page.evaluate("document.querySelector('aside #facts').mark") == 1
    assert problems == []


def test_open_page_asks_less_often_while_no_one_uses_it(browser: Browser, url: str) -> None:
    """Every five seconds for a minute after the last use, then every ten, and not at all while it is hidden."""
    page, problems = open_page(browser)
    page.add_init_script("window.asked = 0; const real = fetch; window.fetch = (...all) => (asked += 1, real(...all))")
    page.clock.install()

    def asked_in(seconds: int) -> int:
        before: int = page.evaluate("asked")
        page.clock.run_for(seconds * 1000)
        return int(page.evaluate("asked")) - before

    page.goto(url)
    assert asked_in(55) == 11
    # The first of them is still within the minute.
    assert asked_in(65) == 7
    page.mouse.move(5, 5)
    assert asked_in(30) == 6
    page.evaluate("Object.defineProperty(document, 'hidden', { value: true })")
    assert asked_in(60) == 0
    page.goto(f"{url}/incidents")
    assert (asked_in(55), asked_in(65)) == (5, 7)
    assert problems == []


def test_pages_work_without_a_script(browser: Browser, url: str) -> None:
    """Every act is a form: with scripts switched off an incident can be acknowledged and snoozed."""
    page, _ = open_page(browser, java_script_enabled=False)
    page.goto(url)
    page.get_by_role("button", name="Acknowledge").first.click()
    assert page.locator("p.notice").text_content() == "Acknowledged."
    page.locator("details.menu summary").first.click()
    page.get_by_role("button", name="4 hours").first.click()
    assert page.locator("p.notice").text_content() == "Snoozed."
