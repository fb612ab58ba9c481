"""The checks of `flask doctor` on this machine: rules, backlog, dead letters, and the files of a SQLite inbox."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from tests.cli.doctor.conftest import results
from tests.support.simulated_site import MakeFlask, RunFlask
from webhooks.cli.doctor.sqlite_files import (
    Process,
    close_command,
    explain_unwritable,
    foreign_owner,
    remote_file_system,
)
from webhooks.config.settings import Settings
from webhooks.event import parse
from webhooks.inbox import Inbox
from webhooks.job import NewJob

ALICE = Process(uid=4242, gids={4242})

MOUNTS = """\
22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
30 22 0:40 / /srv rw shared:1 - nfs4 server:/export rw
31 22 8:2 / /srv/local rw - xfs /dev/sdb1 rw
32 22 0:41 / /mnt/my\\040share rw - cifs //server/share rw
33 22 0:42 / /mnt/c rw,noatime - 9p C:\\134 rw
garbage
"""


def test_invalid_rules(make_flask: MakeFlask, settings: Settings) -> None:
    """The error of the rules file is in the line."""
    settings.rules_file.write_text("[[rule]]\nname = 'x'\n")
    found = results(make_flask(settings)("doctor", "--json"))
    assert found["rules"]["state"] == "failed"
    assert "on is missing" in found["rules"]["text"]


def test_older_schema_is_reported_and_not_migrated(flask: RunFlask, settings: Settings) -> None:
    """A server of the older version may be running; the line says which schema this version needs."""
    url = settings.database_url.get_secret_value()
    store = Inbox.open(url).store
    store.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    store.close()
    found = results(flask("doctor", "--json"))["database"]
    assert found["state"] == "failed"
    assert found["text"].startswith("The schema of the inbox is revision 0001; this version needs")
    assert not found["advice"]
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0001",)]
    database.close()


def test_slack_without_a_channel(make_flask: MakeFlask, settings: Settings) -> None:
    """A token alone sends nothing to `slack`, and `default` to the console; both are reported."""
    settings.rules_file.write_text("[[rule]]\nname = 'x'\non = '*'\nnotify = ['slack', 'default']\n")
    result = make_flask(settings.model_copy(update={"slack_channel": ""}))("doctor", "--json")
    texts = [found["text"] for found in map(json.loads, result.stdout.splitlines()) if found["check"] == "rules"]
    about_slack = [text for text in texts if "SLACK_CHANNEL" in text]
    assert len(about_slack) == 2
    assert any("console" in text for text in about_slack)
    assert result.exit_code == 1


def test_dead_letters_are_counted(flask: RunFlask, services: Any) -> None:
    """The advice says how to list them and how to try again."""
    event = parse(b'{"event_type": "ViewDeleted", "resource": "VIEW", "resource_luid": "1"}')
    assert event
    services.inbox.events.receive(event)
    services.inbox.events.plan(lambda _: [NewJob("k", "notify")])
    (job,) = services.inbox.jobs.claim("me", 1, 60)
    services.inbox.dead_letters.dead_letter(job, "channel_not_found")
    found = results(flask("doctor", "--json"))["dead letters"]
    assert (found["state"], "1 job" in found["text"]) == ("warning", True)
    assert "flask events replay --dead" in found["advice"]


@pytest.mark.parametrize(("age", "state"), [(5, "ok"), (300, "warning")])
def test_events_that_wait_for_planning_are_overdue(flask: RunFlask, settings: Settings, age: float, state: str) -> None:
    """Events that no worker plans are reported after a minute, although there is no job yet."""
    inbox = Inbox.open(settings.database_url.get_secret_value(), clock=lambda: time.time() - age)
    for number in range(77):
        event = parse(json.dumps({"event_type": "ViewDeleted", "resource_luid": str(number)}).encode())
        assert event
        inbox.events.receive(event)
    inbox.close()
    found = results(flask("doctor", "--json"))["worker"]
    assert found["state"] == state
    assert "0 jobs waiting, 77 events not planned" in found["text"]
    assert ("none overdue" in found["text"]) is (state == "ok")
    assert ("flask worker" in found["advice"]) is (state == "warning")


def test_folder_of_another_user_is_named_with_a_command(tmp_path: Path) -> None:
    """Owner, user id and the command that repairs it are in the result."""
    folder = tmp_path / "my data"
    folder.mkdir(mode=0o755)
    found = explain_unwritable(folder / "inbox.sqlite3", ALICE)
    assert found
    owner = folder.stat().st_uid
    assert f"the folder {folder} is not writable by user id 4242" in found[0]
    assert f"user id {owner}" in found[0]
    assert found[1] == f"Run: sudo chown -R 4242 '{folder}'"


def test_read_only_file_is_named_with_a_command(tmp_path: Path) -> None:
    """A file of this user without the right to write needs no other user."""
    database = tmp_path / "inbox.sqlite3"
    database.touch(mode=0o444)
    own = Process(uid=database.stat().st_uid or 4242, gids={4242})
    if database.stat().st_uid != own.uid:
        os.chown(database, own.uid, -1)
        os.chown(tmp_path, own.uid, -1)
    found = explain_unwritable(database, own)
    assert found
    assert f"the file {database} is not writable" in found[0]
    assert found[1] == f"Run: chmod u+w {database}"
    database.chmod(0o644)
    assert explain_unwritable(database, own) is None


def test_write_ahead_log_of_another_user_is_named(tmp_path: Path) -> None:
    """A command that ran as root leaves files that the server cannot write."""
    tmp_path.chmod(0o777)
    database, log = tmp_path / "inbox.sqlite3", tmp_path / "inbox.sqlite3-wal"
    database.touch()
    database.chmod(0o666)
    log.touch(mode=0o644)
    found = explain_unwritable(database, ALICE)
    assert found
    assert str(log) in found[0]


def test_folder_that_does_not_exist_is_explained_by_its_parent(tmp_path: Path) -> None:
    """The first existing folder above decides whether the file can be created."""
    tmp_path.chmod(0o755)
    found = explain_unwritable(tmp_path / "a" / "b" / "inbox.sqlite3", ALICE)
    assert found
    assert f"the folder {tmp_path} is" in found[0]


def test_root_is_warned_of_files_that_the_server_cannot_open(tmp_path: Path) -> None:
    """Root can write everywhere; the folder's owner cannot open what root creates there."""
    database = tmp_path / "inbox.sqlite3"
    assert foreign_owner(database, ALICE) == ""
    if os.geteuid() == 0:
        os.chown(tmp_path, 4242, -1)
        assert foreign_owner(database, Process(uid=0, gids={0})) == "user id 4242"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/var/lib/inbox.sqlite3", ""),
        ("/srv/inbox.sqlite3", "nfs4 at /srv"),
        ("/srv/local/inbox.sqlite3", ""),
        ("/srv/localhost/inbox.sqlite3", "nfs4 at /srv"),
        ("/mnt/my share/inbox.sqlite3", "cifs at /mnt/my share"),
        ("/mnt/c/inbox.sqlite3", "9p at /mnt/c"),
    ],
)
def test_remote_file_systems_are_found(path: str, found: str) -> None:
    """The longest mount point that contains the path decides."""
    assert remote_file_system(Path(path), MOUNTS) == found


def test_without_mountinfo_no_file_system_is_remote() -> None:
    """Systems other than Linux have no such file."""
    assert remote_file_system(Path("/srv/inbox.sqlite3"), "") == ""


def test_command_against_exposed_files_repairs_them(make_flask: MakeFlask, settings: Settings, tmp_path: Path) -> None:
    """A folder of mode 0777 and files of mode 0644: the advice is a command, and after it there is no warning."""
    folder = tmp_path / "it's data"
    folder.mkdir()
    moved = settings.model_copy(update={"database_url": SecretStr(f"sqlite:///{folder / 'inbox.sqlite3'}")})
    inbox = Inbox.open(moved.database_url.get_secret_value())
    for path in folder.iterdir():
        path.chmod(0o644)
    folder.chmod(0o777)
    result = results(make_flask(moved)("doctor", "--json"))["database"]
    assert result["state"] == "warning"
    subprocess.run(["/bin/sh", "-c", result["advice"].removeprefix("Run: ")], check=True, timeout=10)
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert results(make_flask(moved)("doctor", "--json"))["database"]["state"] == "ok"
    inbox.close()


def test_env_file_that_everyone_can_read_is_a_warning(
    flask: RunFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It contains secrets; the command closes it."""
    file = tmp_path / ".env"
    file.write_text("WEBHOOK_TOKEN=abc\n", encoding="utf-8")
    file.chmod(0o644)
    monkeypatch.setattr("webhooks.config.environment.ENV_FILE", file)
    result = results(flask("doctor", "--json"))["settings"]
    assert (result["state"], str(file) in result["text"]) == ("warning", True)
    subprocess.run(["/bin/sh", "-c", result["advice"].removeprefix("Run: ")], check=True, timeout=10)
    assert results(flask("doctor", "--json"))["settings"]["state"] == "ok"


def test_command_for_files_of_another_user_needs_sudo(tmp_path: Path) -> None:
    """Only the owner or root may change the rights."""
    owner = tmp_path.stat().st_uid
    assert close_command([tmp_path], Process(uid=owner, gids={1})) == f"chmod go-rwx {tmp_path}"
    assert close_command([tmp_path], Process(uid=owner + 4242, gids={1})) == f"sudo chmod go-rwx {tmp_path}"
