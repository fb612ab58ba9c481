"""Test that no event is acknowledged once another program has removed, replaced or truncated the inbox's files."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.support.databases import some_event
from tests.support.server import GUNICORN, ROOT, TOKEN, Server, free_port, serving, wait_for
from webhooks.errors import StoreUnavailable
from webhooks.event import Event
from webhooks.inbox import Inbox
from webhooks.inbox.databases.known_database import KnownDatabase
from webhooks.inbox.migrate import HEAD

# Nothing listens there, and no rule of these events needs it.
TABLEAU = {"TABLEAU_DOMAIN": "http://127.0.0.1:9", "TABLEAU_PAT_NAME": "a", "TABLEAU_PAT_SECRET": "b"}

Damage = Callable[[Path], object]


def replace(database: Path) -> None:
    """Put a consistent copy in the place of the database, as a restored backup."""
    copy = database.with_name("copy")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"VACUUM INTO '{copy}'")
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


def overwrite_with_backup(database: Path) -> None:
    """Write an older copy of the same size over the running database, as `cp` does."""
    backup = older_copy(database)
    with backup.open("r+b") as file:
        file.truncate(database.stat().st_size)
    shutil.copyfile(backup, database)


def restore_backup(database: Path) -> None:
    """Write an older copy into the running database by SQLite's own means."""
    with closing(sqlite3.connect(older_copy(database))) as backup, closing(sqlite3.connect(database)) as running:
        backup.backup(running)


def older_copy(database: Path) -> Path:
    """Return a copy of the database without its newest events."""
    copy = database.with_name("copy")
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(f"VACUUM INTO '{copy}'")
    with closing(sqlite3.connect(copy)) as connection, connection:
        connection.execute("DELETE FROM events WHERE id > 5")
        connection.execute("UPDATE sqlite_sequence SET seq = 5 WHERE name = 'events'")
    return copy


def overwrite_header(database: Path) -> None:
    with database.open("r+b") as file:
        file.write(b"x" * 100)


def truncate_log(database: Path) -> None:
    Path(f"{database}-wal").write_bytes(b"")


def remove_log(database: Path) -> None:
    Path(f"{database}-wal").unlink()


def remove_index(database: Path) -> None:
    Path(f"{database}-shm").unlink()


def remove_folder(database: Path) -> None:
    shutil.rmtree(database.parent)


def replace_by_another(database: Path) -> None:
    """Put a database in the place that claims to be an inbox and has none of its tables."""
    other = database.with_name("other")
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (HEAD,))
    other.replace(database)


REMOVALS = [Path.unlink, replace, replace_by_another, remove_log, remove_index, remove_folder]
OVERWRITES = [overwrite, overwrite_with_backup, overwrite_header, restore_backup]
TRUNCATIONS = [truncate_to_half, truncate, truncate_log]
DAMAGES = [*REMOVALS, *OVERWRITES, *TRUNCATIONS]
# The server has to be started for each.
MAIN_DAMAGES = [Path.unlink, replace, overwrite_with_backup, truncate, remove_log]


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
        wait_for(lambda: started_processes(running.log) == 2, what="both processes")
        assert statuses(running, range(20)) == {200}
        yield running


def started_processes(log: Path) -> int:
    """Return how many processes have started; one of them runs the jobs."""
    return len(re.findall("Worker (?:not )?started", log.read_text(encoding="utf-8")))


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
    wait_for_tick(folder / name)
    damage(folder / name)
    for _ in range(5):
        with pytest.raises(StoreUnavailable, match="while the server runs"):
            inbox.events.receive(event())
        with pytest.raises(StoreUnavailable):
            inbox.check_writable()


def wait_for_tick(database: Path) -> None:
    """Wait until a file that is written now gets another time than the database, some milliseconds."""
    other = database.with_name("tick")

    def later() -> bool:
        other.write_bytes(b"x")
        return other.stat().st_mtime_ns > database.stat().st_mtime_ns

    wait_for(later, what="the next tick of the file system's clock")


def checkpoint(database: Path) -> None:
    """Move all events from the log into the database."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def test_overwritten_page_is_noticed(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """A program that writes over events, and leaves the header as it is, is noticed with the next event."""
    inbox, database = opened(sqlite_url), Path(sqlite_url.removeprefix("sqlite:///"))
    for _ in range(10):
        inbox.events.receive(event())
    checkpoint(database)
    inbox.state.set("any", "value")
    with closing(sqlite3.connect(database)) as connection:
        ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchall()
    wait_for_tick(database)
    with database.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(bytes(4096))
    with pytest.raises(StoreUnavailable, match="was overwritten while the server runs"):
        inbox.events.receive(event())


def test_new_time_of_the_file_is_no_damage(
    sqlite_url: str, opened: Callable[..., Inbox], event: Callable[..., Event]
) -> None:
    """Events are stored after `touch`, and after a copy with the same content was written over the file."""
    inbox, database = opened(sqlite_url), Path(sqlite_url.removeprefix("sqlite:///"))
    inbox.events.receive(event())
    checkpoint(database)
    inbox.events.receive(event())
    for _ in range(3):
        os.utime(database)
        inbox.events.receive(event())
    with database.open("r+b") as file:
        content = file.read()
        file.seek(0)
        file.write(content)
    inbox.events.receive(event())
    assert len(inbox.events.list()) == 6


def test_processes_that_start_under_load_are_no_damage(tmp_path: Path) -> None:
    """A process may read the newest event before the one that has stored it has recorded that."""
    known, url = KnownDatabase(), f"sqlite:///{tmp_path / 'inbox.sqlite3'}"
    inbox, stopping = Inbox.open(url, known=known), threading.Event()

    def start_others() -> None:
        while not stopping.is_set():
            Inbox.open(url, known=known).close()

    starting = threading.Thread(target=start_others)
    starting.start()
    try:
        for number in range(400):
            inbox.events.receive(some_event(number))
    finally:
        stopping.set()
        starting.join()
        inbox.close()


def test_checkpoints_are_no_damage(sqlite_url: str, opened: Callable[..., Inbox]) -> None:
    """Two inboxes store events while a third program moves the log into the database again and again."""
    database = Path(sqlite_url.removeprefix("sqlite:///"))
    inboxes = [opened(sqlite_url), opened(sqlite_url)]
    code = f"""
import sqlite3
connection = sqlite3.connect({str(database)!r}, isolation_level=None, timeout=5)
print("ready", flush=True)
while True:
    for mode in ("PASSIVE", "FULL", "RESTART", "TRUNCATE"):
        connection.execute(f"PRAGMA wal_checkpoint({{mode}})").fetchall()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as checkpoints:
        try:
            assert checkpoints.stdout
            checkpoints.stdout.readline()
            for number in range(0, 400, 2):
                for offset, inbox in enumerate(inboxes):
                    inbox.events.receive(some_event(number + offset, padding="x" * 3000))
        finally:
            checkpoints.kill()
    assert len(inboxes[0].events.list(limit=1000)) == 400


@pytest.mark.parametrize("damage", MAIN_DAMAGES)
def test_no_event_is_acknowledged_after_damage(server: Server, tmp_path: Path, damage: Damage) -> None:
    """Each event is refused with 503, the server is not ready, logs one line for each process, and creates no file."""
    database = tmp_path / "data" / "inbox.sqlite3"
    damage(database)
    existed = database.exists()
    assert statuses(server, range(100, 120)) == {503}
    wait_for(lambda: requests.get(f"{server.url}/readyz", timeout=30).status_code == 503, what="not ready")
    assert requests.get(f"{server.url}/metrics", timeout=30).status_code == 200
    assert database.exists() == existed
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log
    lines = re.findall("Cannot store events, responding 503: .*", log)
    assert 1 <= len(lines) <= 2
    assert "while the server runs" in lines[0]
    assert "docs/howto/backup.md" in lines[0]


STARTING_DAMAGES = [Path.unlink, replace_by_another, truncate, remove_folder, overwrite_header]


@pytest.mark.parametrize("damage", STARTING_DAMAGES)
def test_damage_while_processes_start_does_not_stop_the_server(tmp_path: Path, rules: Path, damage: Damage) -> None:
    """The server stays, refuses events, is not ready, logs a line for each process, and creates nothing."""
    database, log = tmp_path / "data" / "inbox.sqlite3", tmp_path / "server.log"
    inbox = Inbox.open(f"sqlite:///{database}")
    for number in range(20):
        inbox.events.receive(some_event(number))
    inbox.close()
    environment = {
        **os.environ,
        **TABLEAU,
        "DATABASE_URL": f"sqlite:///{database}",
        "PORT": str(free_port()),
        "RULES_FILE": str(rules),
        "WEB_CONCURRENCY": "2",
        "WEBHOOK_TOKEN": TOKEN,
    }
    with log.open("wb") as file:
        command = [sys.executable, *GUNICORN]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file)
    server = Server(f"http://127.0.0.1:{environment['PORT']}", environment, log, process)
    try:
        wait_for(lambda: "Booting worker" in log.read_text(encoding="utf-8"), what="the first process")
        damage(database)
        existed = database.exists()
        assert statuses(server, range(100, 110)) == {503}
        wait_for(lambda: started_processes(log) >= 2, what="both processes")
        assert statuses(server, range(200, 210)) == {503}
        assert requests.get(f"{server.url}/readyz", timeout=30).status_code == 503
        assert process.poll() is None
        assert database.exists() == existed
        text = log.read_text(encoding="utf-8")
        assert "Traceback" not in text
        assert 1 <= text.count("Cannot store events, responding 503") <= 2
    finally:
        process.terminate()
        process.wait(40)


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
