"""`flask listen` as a separate process: it registers, serves, notifies, and removes its webhooks however it ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator import Running
from tests.support import certificates
from tests.support.pseudo_terminal import terminal_session
from tests.support.server import free_port, wait_for
from tests.support.simulated_site import DESIRED, inject_fault, registered_webhooks, slack_messages
from webhooks.config.settings import ROOT
from webhooks.inbox import Inbox


@dataclass
class Listening:
    """A running `flask listen`, its port, and the file with its output."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def end(self, number: int = signal.SIGTERM) -> float:
        """Send the signal; return the seconds until the process has ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(60)
        return time.monotonic() - began


def environment(site: Running, folder: Path, **more: str) -> dict[str, str]:
    """Return an environment with the address of Slack's API and `more`, but without any credentials."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("TABLEAU_", "TS_", "SLACK_"))}
    mine = {
        "FLASK_APP": "index",
        "DATABASE_URL": f"sqlite:///{folder / 'inbox.sqlite3'}",
        "SLACK_API_URL": site.environment["SLACK_API_URL"],
        "TMPDIR": str(folder),
    }
    return clean | mine | more


def options(site: Running) -> list[str]:
    config = site.world.config
    pat = ["--pat-name", config.pat_name, "--pat-secret", config.pat_secret]
    return ["--server", site.url, "--site", config.content_url, *pat]


SLACK = ["--slack-token", "xoxb-simulator", "--slack-channel", "#bi"]


@contextmanager
def listening(site: Running, folder: Path, *words: str, port: int = 0, **more: str) -> Iterator[Listening]:
    """Start it, and wait until it listens."""
    port = port or free_port()
    log = folder / f"listen-{port}.log"
    command = [sys.executable, "-m", "flask", "listen", "--port", str(port), *words]
    if "--url" not in words:
        command += ["--url", f"http://127.0.0.1:{port}"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment(site, folder, **more), stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    running = Listening(process, port, log)
    try:
        wait_for(lambda: "Press Ctrl-C" in _output(running), seconds=90, what="flask listen")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def _output(running: Listening) -> str:
    output = running.log.read_text()
    assert running.process.poll() is None, output
    return output


def trigger(site: Running, **fields: str) -> dict[str, Any]:
    response = requests.post(f"{site.url}/simulator/events", json=fields, timeout=30)
    assert response.status_code == 200, response.text
    event: dict[str, Any] = response.json()
    return event


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_listen_registers_serves_notifies_and_cleans_up(site: Running, tmp_path: Path, number: int) -> None:
    """It needs options only; Ctrl-C and SIGTERM remove the webhooks within seconds."""
    words = [*options(site), *SLACK, "--events", "WorkbookCreated,*RefreshFailed"]
    with listening(site, tmp_path, *words) as running:
        assert {webhook.event for webhook in registered_webhooks(site)} == DESIRED
        trigger(site, event_type="WorkbookCreated", name="Quarterly")
        wait_for(lambda: any("Quarterly" in text for text in slack_messages(site)), what="the message")
        seconds = running.end(number)
    assert (running.process.returncode, registered_webhooks(site)) == (0, [])
    assert seconds < 20
    output = running.log.read_text()
    assert "Traceback" not in output
    assert site.world.config.pat_secret not in output
    assert not _accepts(running.port)


def test_listen_has_an_inbox_of_its_own(site: Running, tmp_path: Path) -> None:
    """Its events are not in the server's inbox, where they would be planned by the server's rules, and vice versa."""
    url = f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    with listening(site, tmp_path, *options(site), *SLACK, "--events", "WorkbookCreated"):
        trigger(site, event_type="WorkbookCreated", name="Quarterly")
        wait_for(lambda: slack_messages(site), what="the message")
    server = Inbox.open(url)
    assert server.events.list() == []
    server.close()
    (own,) = tmp_path.glob("listen-*.sqlite3")
    inbox = Inbox.open(f"sqlite:///{own}")
    assert [record.event.event_type for record in inbox.events.list()] == ["WorkbookCreated"]
    inbox.close()


def test_each_run_uses_its_own_rules(site: Running, tmp_path: Path) -> None:
    """Neither the rules of --events nor those of the rules file stay in force for the next run."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\non = "ViewDeleted"\nnotify = "slack:#bi"\n')
    words = [*options(site), *SLACK]
    expected = ["ViewDeleted", "WorkbookCreated", "ViewDeleted"]
    for number, event_type in enumerate(expected, 1):
        events = ["--events", event_type] if event_type == "WorkbookCreated" else []
        with listening(site, tmp_path, *words, *events, RULES_FILE=str(rules)):
            trigger(site, event_type=event_type)
            wait_for(lambda: len(slack_messages(site)) == number, what="the message")  # noqa: B023 - called at once


def test_listen_leaves_other_webhooks_alone(site: Running, tmp_path: Path) -> None:
    """The webhooks of the permanent server stay, too."""
    webhooks = site.world.home.webhooks
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated") as running:
        own = registered_webhooks(site)[0]
        other = replace(own, luid=site.world.luid(), name="tableau-webhooks WorkbookCreated")
        webhooks[other.luid] = other
        running.end()
    assert [webhook.name for webhook in registered_webhooks(site)] == ["tableau-webhooks WorkbookCreated"]


def test_listen_after_sigkill_creates_no_twins_and_gets_its_port(site: Running, tmp_path: Path) -> None:
    """The webhooks of a killed run are adopted, also with another URL; its server ends by itself."""
    words = [*options(site), "--events", "WorkbookCreated"]
    with listening(site, tmp_path, *words) as first:
        left = registered_webhooks(site)[0]
        first.end(signal.SIGKILL)
    assert registered_webhooks(site) == [left]
    with listening(site, tmp_path, *words, "--url", "https://new-tunnel.example.org", port=first.port) as second:
        (found,) = registered_webhooks(site)
        assert (found.luid, found.url) == (left.luid, "https://new-tunnel.example.org/webhook")
        second.end()
    assert registered_webhooks(site) == []


def test_listen_takes_credentials_from_the_environment(site: Running, tmp_path: Path) -> None:
    """TS_PAT_NAME, TS_PAT_SECRET and SLACK_TOKEN are used, and the rules file if --events is missing."""
    config = site.world.config
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\non = "ViewDeleted"\nnotify = "slack:#bi"\n')
    pat = {"TS_PAT_NAME": config.pat_name, "TS_PAT_SECRET": config.pat_secret, "SLACK_TOKEN": config.slack_token}
    words = ["--server", site.url, "--site", config.content_url]
    with listening(site, tmp_path, *words, RULES_FILE=str(rules), **pat):
        assert "ViewDeleted" in {webhook.event for webhook in registered_webhooks(site)}
        trigger(site, event_type="ViewDeleted")
        wait_for(lambda: slack_messages(site), what="the message")


def test_listen_speaks_https_and_stalled_clients_block_no_other(site: Running, tmp_path: Path) -> None:
    """With --cert and --key the webhook responds over TLS while others stall in their handshakes."""
    files = certificates.issue(tmp_path)
    words = [*options(site), "--events", "WorkbookCreated", "--cert", str(files.chain), "--key", str(files.key)]
    with listening(site, tmp_path, *words, "--url", "https://hooks.example.org", "--host", "127.0.0.1") as running:
        stalled = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
        for connection in stalled:
            connection.sendall(b"\x16\x03\x01")
        url = f"https://localhost:{running.port}/webhook"
        response = requests.post(url, data=b"{}", verify=str(files.root), timeout=30)
        assert response.json() == {"status": "test"}
        seconds = running.end()
        for connection in stalled:
            connection.close()
    assert seconds < 20
    assert registered_webhooks(site) == []


def test_listen_ends_although_tableau_does_not_respond(site: Running, tmp_path: Path) -> None:
    """It reports the webhooks that it leaves behind, and does not hang."""
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated") as running:
        inject_fault(site, kind="delay", target="tableau", seconds=60)
        seconds = running.end()
    assert seconds < 40
    assert "Could not remove the webhooks" in running.log.read_text()


def test_second_listen_for_the_same_site_is_refused(site: Running, tmp_path: Path) -> None:
    """It would take over the webhooks of the first."""
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated"):
        second = run(site, tmp_path, *options(site), "--events", "WorkbookCreated", "--url", "https://x.example.org")
        assert (second.returncode, "already running" in second.stderr) == (1, True)


def run(site: Running, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run `flask listen` that is expected to end by itself."""
    command = [sys.executable, "-m", "flask", "listen", "--port", str(free_port()), *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(site, folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_listen_reports_errors_before_it_starts(site: Running, tmp_path: Path) -> None:
    """Missing credentials without a terminal, no URL, an invalid key: a sentence and an exit code, no traceback."""
    nothing = run(site, tmp_path, "--url", "https://x.example.org", "--server", site.url)
    assert (nothing.returncode, "TABLEAU_PAT_NAME" in nothing.stderr) == (3, True)
    for credentials in (options(site), []):
        no_url = run(site, tmp_path, *credentials, "--events", "WorkbookCreated")
        assert (no_url.returncode, "--url" in no_url.stderr) == (2, True)
    words = [*options(site), "--events", "ViewDeleted", "--url", "https://x.example.org", *SLACK[:2]]
    no_channel = run(site, tmp_path, *words)
    assert (no_channel.returncode, "--slack-channel" in no_channel.stderr) == (2, True)
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    words = [*options(site), "--url", "https://x.example.org", "--cert", str(broken)]
    unreadable = run(site, tmp_path, *words)
    assert (unreadable.returncode, "--cert" in unreadable.stderr) == (2, True)
    assert registered_webhooks(site) == []


@pytest.mark.parametrize(
    ("words", "source"),
    [(("--server", "a@b"), "--server"), ((), "TABLEAU_DOMAIN")],
)
def test_invalid_credentials_are_reported_by_their_source(
    site: Running, tmp_path: Path, words: tuple[str, ...], source: str
) -> None:
    """A value of an option is reported by the option, one of the environment by its variable."""
    given = {} if words else {"TABLEAU_DOMAIN": "a@b"}
    command = [sys.executable, "-m", "flask", "listen", "--url", "https://h", *words]
    ended = subprocess.run(
        command, check=False, cwd=ROOT, env=environment(site, tmp_path, **given), capture_output=True, text=True
    )
    assert f"Invalid settings: {source}: remove the user name and password" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_listen_on_a_used_port_says_so(site: Running, tmp_path: Path) -> None:
    """One sentence with the address, and nothing is left in Tableau."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        words = [*options(site), "--events", "ViewDeleted", "--url", "https://x.example.org", "--port", port]
        refused = run(site, tmp_path, *words)
    assert (refused.returncode, f"port {port} of 127.0.0.1 is in use" in refused.stderr) == (3, True)
    assert "Traceback" not in refused.stderr
    assert registered_webhooks(site) == []


def test_listen_asks_for_missing_credentials_on_a_terminal(site: Running, tmp_path: Path) -> None:
    """Secrets are not echoed; an empty answer leaves Slack out."""
    config = site.world.config
    words = ["listen", "--port", str(free_port()), "--events", "WorkbookCreated", "--url", "https://hooks.example.org"]
    answers = {
        "Tableau host": site.url,
        "Site,": config.content_url,
        "token name": config.pat_name,
        "token secret": config.pat_secret,
        "Slack bot token": "",
    }
    with terminal_session(*words, environment=environment(site, tmp_path)) as session:
        for question, answer in answers.items():
            session.wait_for(question)
            session.answer(answer)
        session.wait_for("Press Ctrl-C")
        assert [webhook.event for webhook in registered_webhooks(site)] == ["WorkbookCreated"]
        session.process.send_signal(signal.SIGINT)
        assert session.wait() == 0
    assert config.pat_secret not in session.shown
    assert registered_webhooks(site) == []


def test_listen_with_a_refused_event_leaves_nothing(site: Running, tmp_path: Path) -> None:
    """An event type that Tableau refuses is reported, and the other webhooks are removed again."""
    words = [*options(site), "--events", "WorkbookCreated,NoSuchThing", "--url", "https://x.example.org"]
    ended = run(site, tmp_path, *words)
    assert (ended.returncode, "NoSuchThing" in ended.stderr, registered_webhooks(site)) == (1, True, [])


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
