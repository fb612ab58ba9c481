"""Test that no event is acknowledged once another program has removed, replaced or truncated the inbox's files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.support.databases import some_event
from tests.support.server import Server, serving, wait_for
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox

# Nothing listens there, and no rule of these events needs it.
TABLEAU = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}

Damage = Callable[[Path], object]


def replace(database: Path) -> None:
    """Put a consistent copy in the place of the database, as a restored backup."""
    copy = database.with_name("copy")
    sqlite3.connect(database).execute(f"VACUUM INTO '{copy}'")
    copy.replace(database)


def overwrite(database: Path) -> None:
    """Write an older, smaller database over the running one, as `cp` does."""
    old = sqlite3.connect(database.with_name("old"))
    old.execute("CREATE TABLE x (y)")
    old.close()
    shutil.copyfile(database.with_name("old"), database)


def truncate_to_half(database: Path) -> None:
    """Cut the file in the middle."""
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 8192 * 4096)


def truncate(database: Path) -> None:
    """Empty the file, as `> inbox.sqlite3` does."""
    database.write_bytes(b"")


def remove_log(database: Path) -> None:
    Path(f"{database}-wal").unlink()


def remove_index(database: Path) -> None:
    Path(f"{database}-shm").unlink()


def remove_folder(database: Path) -> None:
    shutil.rmtree(database.parent)


DAMAGES = [Path.unlink, replace, overwrite, truncate_to_half, truncate, remove_log, remove_index, remove_folder]
# The server has to be started for each.
MAIN_DAMAGES = [Path.unlink, replace, truncate, remove_log]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Return a rules file without a rule, so that events are stored and ignored."""
    path = tmp_path / "rules.toml"
    path.write_text("", encoding="utf-8")
    return path


@pytest.fixture
def server(tmp_path: Path, rules: Path) -> Iterator[Server]:
    """Return a running server of two processes that has stored some events."""
    url = f"sqlite:///{tmp_path / 'data' / 'inbox.sqlite3'}"
    more = {"RULES_FILE": str(rules), "WEB_CONCURRENCY": "2", "DATABASE_URL": url}
    with serving(tmp_path, TABLEAU, **more) as running:
        # A process that starts after the damage would open what it finds.
        wait_for(lambda: running.log.read_text(encoding="utf-8").count("Worker started") == 2, what="both processes")
        assert statuses(running, range(20)) == {200}
        yield running


def statuses(server: Server, numbers: range) -> set[int]:
    """Post events, each on a connection of its own, and return the statuses of the responses."""
    return {requests.post(server.hook, data=some_event(number).body, timeout=10).status_code for number in numbers}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_noticed_with_the_next_event(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event], damage: Damage
) -> None:
    """The first event after any damage is refused, and so are readiness checks and all later events."""
    folder, name = Path(sqlite_url.removeprefix("sqlite:///")).parent / "data", "inbox.sqlite3"
    inbox = opened(f"sqlite:///{folder / name}")
    for _ in range(10):
        inbox.events.receive(event())
    damage(folder / name)
    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="while the server runs"):
            inbox.events.receive(event())
        with pytest.raises(StoreUnavailable):
            inbox.check_writable()


@pytest.mark.parametrize("damage", MAIN_DAMAGES)
def test_no_event_is_acknowledged_after_damage(server: Server, tmp_path: Path, damage: Damage) -> None:
    """Each event is refused with 503, the server is not ready, logs one line for each process, and creates no file."""
    database = tmp_path / "data" / "inbox.sqlite3"
    damage(database)
    existed = database.exists()
    assert statuses(server, range(100, 120)) == {503}
    wait_for(lambda: requests.get(f"{server.url}/readyz", timeout=5).status_code == 503, what="not ready")
    assert requests.get(f"{server.url}/metrics", timeout=5).status_code == 200
    assert database.exists() == existed
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    lines = re.findall("Cannot store events, responding 503: .*", log)
    assert 1 <= len(lines) <= 2
    assert "while the server runs" in lines[0]
    assert "docs/howto/backup.md" in lines[0]


@pytest.mark.parametrize("damage", [Path.unlink, remove_folder, truncate])
def test_replaced_process_creates_no_inbox(server: Server, tmp_path: Path, damage: Damage) -> None:
    """A process that starts in place of a dead one refuses events as the others do, also after a reload."""
    database = tmp_path / "data" / "inbox.sqlite3"
    before = processes(server)
    damage(database)
    for file in (f"{database}-wal", f"{database}-shm"):
        Path(file).unlink(missing_ok=True)
    for process in before:
        os.kill(process, signal.SIGKILL)
    wait_for(lambda: len(processes(server) - before) == 2, what="new processes")
    assert statuses(server, range(100, 110)) == {503}
    server.process.send_signal(signal.SIGHUP)
    wait_for(lambda: server.log.read_text(encoding="utf-8").count("Booting worker") == 6, what="the reload")
    assert statuses(server, range(200, 210)) == {503}
    assert not database.exists() or database.stat().st_size == 0


def test_server_starts_before_its_database(tmp_path: Path, rules: Path) -> None:
    """While the inbox cannot be opened the server runs and refuses events; it stores them as soon as it can."""
    blocker = tmp_path / "data"
    blocker.write_text("a file in place of the folder", encoding="utf-8")
    url = f"sqlite:///{blocker / 'inbox.sqlite3'}"

    def repair() -> None:
        log = tmp_path / "server.log"
        wait_for(lambda: log.exists() and "Worker started" in log.read_text(encoding="utf-8"), what="the start")
        blocker.unlink()

    repairing = threading.Thread(target=repair)
    repairing.start()
    # Waits until the server is ready.
    with serving(tmp_path, TABLEAU, RULES_FILE=str(rules), DATABASE_URL=url) as server:
        assert statuses(server, range(5)) == {200}
    repairing.join()


def processes(server: Server) -> set[int]:
    """Return the ids of the server's processes."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    return {int(number) for number in children.read_text(encoding="ascii").split()}


def test_moved_database_is_used_again_when_it_is_back(server: Server, tmp_path: Path) -> None:
    """A database that was moved away by mistake, and back, has every acknowledged event."""
    database = tmp_path / "data" / "inbox.sqlite3"
    database.rename(tmp_path / "elsewhere")
    assert statuses(server, range(100, 110)) == {503}
    (tmp_path / "elsewhere").rename(database)
    assert statuses(server, range(200, 220)) == {200}
    listed = server.events()
    assert len(listed) >= 40


def test_returned_space_is_no_damage(sqlite_url: str, opened: Callable[..., Inbox], clock: Callable[[], float]) -> None:
    """The file shrinks when expired events are deleted, and events are stored as before."""
    inbox = opened(sqlite_url, clock=clock)
    file = Path(sqlite_url.removeprefix("sqlite:///"))
    for number in range(500):
        inbox.events.receive(some_event(number, padding="x" * 5000))
    inbox.events.plan(lambda _: [], limit=500)
    inbox.store.reclaim_space()
    before = file.stat().st_size
    inbox.retention.delete_before(clock() + 1)
    inbox.store.reclaim_space()
    assert file.stat().st_size < before / 2
    for number in range(500, 600):
        assert not inbox.events.receive(some_event(number)).duplicate


def test_copy_without_a_log_is_opened(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event], tmp_path: Path
) -> None:
    """A backup made by VACUUM INTO is in another journal mode; it is used like any other."""
    inbox = opened(sqlite_url)
    inbox.events.receive(event())
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    connection.execute(f"VACUUM INTO '{tmp_path / 'copy.sqlite3'}'")
    connection.close()
    copy = opened(f"sqlite:///{tmp_path / 'copy.sqlite3'}")
    copy.events.receive(event())
    assert len(copy.events.list()) == 2


def test_reader_creates_no_file(sqlite_url: str, opened: Callable[..., Inbox]) -> None:
    """A connection opened after the file was removed fails instead of creating an empty database."""
    inbox = opened(sqlite_url)
    for file in Path(sqlite_url.removeprefix("sqlite:///")).parent.glob("inbox.sqlite3*"):
        file.unlink()
    with pytest.raises(StoreUnavailable):
        inbox.events.list()
    assert not Path(sqlite_url.removeprefix("sqlite:///")).exists()
