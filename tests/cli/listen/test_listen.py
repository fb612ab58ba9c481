"""`flask listen` as a process of its own: it registers, serves, tells, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import pty
import select
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
from tests.acceptance.server import free_port, wait_for
from tests.support import certificates
from tests.support.simulated_site import DESIRED, inject_fault, registered_webhooks, slack_messages
from webhooks.config.settings import ROOT


@dataclass
class Listening:
    """A running `flask listen`, its port, and what it has said."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def end(self, number: int = signal.SIGTERM) -> float:
        """Sends the signal; gives the seconds until it has ended."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began


def environment(site: Running, folder: Path, **more: str) -> dict[str, str]:
    """Only where Slack is, besides what a test gives itself."""
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
    """Starts it, and waits until it says that it listens."""
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
        wait_for(lambda: "Ctrl-C removes" in _said(running), seconds=40, what="flask listen")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(30)


def _said(running: Listening) -> str:
    said = running.log.read_text()
    assert running.process.poll() is None, said
    return said


def happen(site: Running, **wish: str) -> dict[str, Any]:
    answer = requests.post(f"{site.url}/simulator/events", json=wish, timeout=5)
    assert answer.status_code == 200, answer.text
    event: dict[str, Any] = answer.json()
    return event


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_listen_registers_serves_tells_and_cleans_up(site: Running, tmp_path: Path, number: int) -> None:
    """With nothing but options; Ctrl-C and SIGTERM remove the webhooks within seconds."""
    words = [*options(site), *SLACK, "--events", "WorkbookCreated,*RefreshFailed"]
    with listening(site, tmp_path, *words) as running:
        assert {one.event for one in registered_webhooks(site)} == DESIRED
        happen(site, event_type="WorkbookCreated", name="Heard of")
        wait_for(lambda: any("Heard of" in text for text in slack_messages(site)), what="the message")
        took = running.end(number)
    assert (running.process.returncode, registered_webhooks(site)) == (0, [])
    assert took < 8
    said = running.log.read_text()
    assert "Traceback" not in said
    assert site.world.config.pat_secret not in said
    assert not _answers(running.port)


def test_listen_leaves_other_webhooks_alone(site: Running, tmp_path: Path) -> None:
    """Those of the server that runs for good, too."""
    site_hooks = site.world.home.webhooks
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated") as running:
        mine = registered_webhooks(site)[0]
        other = replace(mine, luid=site.world.luid(), name="tableau-webhooks WorkbookCreated")
        site_hooks[other.luid] = other
        running.end()
    assert [one.name for one in registered_webhooks(site)] == ["tableau-webhooks WorkbookCreated"]


def test_listen_after_kill_9_makes_no_twins_and_gets_its_port(site: Running, tmp_path: Path) -> None:
    """What a killed run left is taken over, also with another address; its server is gone by itself."""
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
    """TS_PAT_NAME, TS_PAT_SECRET and SLACK_TOKEN, and the rules file where --events is not given."""
    config = site.world.config
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nname = "a"\non = "ViewDeleted"\nnotify = "slack:#bi"\n')
    pat = {"TS_PAT_NAME": config.pat_name, "TS_PAT_SECRET": config.pat_secret, "SLACK_TOKEN": config.slack_token}
    words = ["--server", site.url, "--site", config.content_url]
    with listening(site, tmp_path, *words, RULES_FILE=str(rules), **pat):
        assert "ViewDeleted" in {one.event for one in registered_webhooks(site)}
        happen(site, event_type="ViewDeleted")
        wait_for(lambda: slack_messages(site), what="the message")


def test_listen_speaks_https_and_a_stuck_client_blocks_nobody(site: Running, tmp_path: Path) -> None:
    """--cert and --key: the hook answers over TLS while others hang in their handshakes."""
    files = certificates.issue(tmp_path)
    words = [*options(site), "--events", "WorkbookCreated", "--cert", str(files.chain), "--key", str(files.key)]
    with listening(site, tmp_path, *words, "--url", "https://hooks.example.org", "--host", "127.0.0.1") as running:
        stuck = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(60)]
        for one in stuck:
            one.sendall(b"\x16\x03\x01")
        url = f"https://localhost:{running.port}/webhook"
        answer = requests.post(url, data=b"{}", verify=str(files.root), timeout=3)
        assert answer.json() == {"status": "test"}
        took = running.end()
        for one in stuck:
            one.close()
    assert took < 8
    assert registered_webhooks(site) == []


def test_listen_that_cannot_reach_tableau_any_more_ends_all_the_same(site: Running, tmp_path: Path) -> None:
    """It says what it leaves behind, and does not hang."""
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated") as running:
        inject_fault(site, kind="delay", target="tableau", seconds=60)
        took = running.end()
    assert took < 15
    assert "could not be removed" in running.log.read_text()


def test_second_listen_for_the_same_site_is_refused(site: Running, tmp_path: Path) -> None:
    """It would take the webhooks of the first."""
    with listening(site, tmp_path, *options(site), "--events", "WorkbookCreated"):
        second = flask(site, tmp_path, *options(site), "--events", "WorkbookCreated", "--url", "https://x.example.org")
        assert (second.returncode, "runs already" in second.stderr) == (1, True)


def flask(site: Running, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """One that is expected to end by itself."""
    command = [sys.executable, "-m", "flask", "listen", "--port", str(free_port()), *words]
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(site, folder, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_listen_says_what_is_wrong_before_it_starts(site: Running, tmp_path: Path) -> None:
    """Missing credentials without a terminal, no address, a key that is none: a sentence and a code, no traceback."""
    nothing = flask(site, tmp_path, "--url", "https://x.example.org", "--server", site.url)
    assert (nothing.returncode, "TABLEAU_PAT_NAME" in nothing.stderr) == (3, True)
    nowhere = flask(site, tmp_path, *options(site), "--events", "WorkbookCreated")
    assert (nowhere.returncode, "--url" in nowhere.stderr) == (2, True)
    placeless = [*options(site), "--events", "ViewDeleted", "--url", "https://x.example.org", *SLACK[:2]]
    no_channel = flask(site, tmp_path, *placeless)
    assert (no_channel.returncode, "--slack-channel" in no_channel.stderr) == (2, True)
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    words = [*options(site), "--url", "https://x.example.org", "--cert", str(broken)]
    unreadable = flask(site, tmp_path, *words)
    assert (unreadable.returncode, "--cert" in unreadable.stderr) == (2, True)
    assert registered_webhooks(site) == []


def test_listen_asks_for_what_is_missing_on_a_terminal(site: Running, tmp_path: Path) -> None:
    """Secrets are not echoed; an empty answer leaves Slack out."""
    config = site.world.config
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "listen", "--port", str(free_port()), "--events", "WorkbookCreated"]
    command += ["--url", "https://hooks.example.org"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment(site, tmp_path), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    said = ""
    answers = {"host": site.url, "Site": config.content_url, "token": config.pat_name, "secret": config.pat_secret}
    questions = ["host", "Site", "Name of the personal access token", "Its secret", "Slack's bot token"]
    try:
        for question, answer in zip(questions, [*answers.values(), ""], strict=True):
            said += _until(ours, question)
            os.write(ours, f"{answer}\n".encode())
        said += _until(ours, "Ctrl-C removes")
        assert [one.event for one in registered_webhooks(site)] == ["WorkbookCreated"]
        process.send_signal(signal.SIGINT)
        wait_for(lambda: process.poll() is not None or _drained(ours), what="the end")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    assert config.pat_secret not in said
    assert registered_webhooks(site) == []


def _until(terminal: int, text: str, seconds: float = 40) -> str:
    """What the terminal shows until the text is there."""
    shown, deadline = "", time.monotonic() + seconds
    while text not in shown:
        assert time.monotonic() < deadline, f"{text!r} is not in {shown!r}"
        if select.select([terminal], [], [], 0.2)[0]:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown


def _drained(terminal: int) -> bool:
    """Reads what is there, so that nobody waits to write; always False."""
    if select.select([terminal], [], [], 0)[0]:
        try:
            os.read(terminal, 65536)
        except OSError:
            return False
    return False


def test_listen_with_a_refused_event_leaves_nothing(site: Running, tmp_path: Path) -> None:
    """Tableau does not know one of them: said, and the others are removed again."""
    words = [*options(site), "--events", "WorkbookCreated,NoSuchThing", "--url", "https://x.example.org"]
    ended = flask(site, tmp_path, *words)
    assert (ended.returncode, "NoSuchThing" in ended.stderr, registered_webhooks(site)) == (1, True, [])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
