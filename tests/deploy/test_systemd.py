"""Test the systemd units and the installer: the units are valid, and the installed files can serve."""

from __future__ import annotations

import os
import re
import runpy
import signal
import socket
import subprocess
from pathlib import Path

import pytest
import requests

from simulator import Running
from tests.deploy.tools import ROOT, run, tool
from tests.support.server import free_port, wait_for

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
INSTALL = ROOT / "deploy" / "systemd" / "install"
names = pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)


def lay_down(stage: Path) -> Path:
    """Run the installer for a folder and return the path of the code in it."""
    ended = run(INSTALL, env={**os.environ, "STAGE": str(stage)})
    assert (ended.returncode, ended.stderr) == (0, "")
    return stage / "opt" / "tableau-webhooks"


def test_units_are_understood_without_a_word() -> None:
    """systemd-analyze verify reports nothing."""
    ended = run(tool("systemd-analyze"), "verify", *UNITS)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


@names
def test_exposure_is_below_3(unit: Path) -> None:
    """systemd-analyze security rates the exposure of the service as low."""
    ended = run(tool("systemd-analyze"), "security", "--offline=yes", "--threshold=29", "--no-pager", unit)
    assert ended.returncode == 0, ended.stdout.splitlines()[-1]


def test_service_sees_the_boot_id_of_its_commands() -> None:
    """ProcSubset=pid would hide /proc/sys, and the commands would reset the leases of the running service."""
    for file in (ROOT / "deploy" / "systemd").rglob("*.*"):
        if file.is_file():
            assert not re.search("(?m)^ProcSubset=", file.read_text(encoding="utf-8")), file


@names
def test_systemd_waits_longer_than_the_server_needs_to_stop(unit: Path) -> None:
    """systemd waits longer than the server needs to stop."""
    (seconds,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", unit.read_text(encoding="utf-8"))
    assert int(seconds) > runpy.run_path(str(ROOT / "gunicorn.conf.py"))["graceful_timeout"]


def test_what_people_edit_survives_an_update(tmp_path: Path) -> None:
    """A second run installs new code, keeps settings and rules, and removes deleted handlers."""
    code = lay_down(tmp_path)
    etc = tmp_path / "etc" / "tableau-webhooks"
    (etc / "env").write_text("PORT=8123\n", encoding="utf-8")
    (etc / "rules.toml").write_text("# mine\n", encoding="utf-8")
    (code / "webhooks" / "handlers" / "old.py").touch()
    (code / "index.py").write_text("broken", encoding="utf-8")
    lay_down(tmp_path)
    assert (etc / "env").read_text(encoding="utf-8") == "PORT=8123\n"
    assert (etc / "rules.toml").read_text(encoding="utf-8") == "# mine\n"
    assert not (code / "webhooks" / "handlers" / "old.py").exists()
    assert (code / "index.py").read_bytes() == (ROOT / "index.py").read_bytes()


def test_secrets_are_for_the_service_alone(tmp_path: Path) -> None:
    """Other users of the machine cannot read the settings."""
    lay_down(tmp_path)
    assert (tmp_path / "etc" / "tableau-webhooks" / "env").stat().st_mode & 0o777 == 0o640


def test_account_can_be_made(tmp_path: Path) -> None:
    """systemd-sysusers accepts the file and creates the account that the units use."""
    lay_down(tmp_path)
    (tmp_path / "etc").mkdir(exist_ok=True)
    ended = run(tool("systemd-sysusers"), f"--root={tmp_path}")
    assert ended.returncode == 0, ended.stderr
    assert "tableau-webhooks:x:" in (tmp_path / "etc" / "passwd").read_text(encoding="utf-8")
    for unit in UNITS:
        assert "\nUser=tableau-webhooks\n" in unit.read_text(encoding="utf-8")


def test_installed_server_tells_systemd_that_it_is_ready_and_serves(tmp_path: Path, site: Running) -> None:
    """The unit's command serves from the installed files: READY=1, no failed request during a reload, a clean stop."""
    code = lay_down(tmp_path)
    (command,) = re.findall(r"(?m)^ExecStart=/usr/bin/env (.+)$", UNITS[0].read_text(encoding="utf-8"))
    port, rules = free_port(), tmp_path / "etc" / "tableau-webhooks" / "rules.toml"
    mine = {"DATABASE_URL": f"sqlite:///{tmp_path / 'inbox.sqlite3'}", "RULES_FILE": str(rules), "PORT": str(port)}
    environment = {**os.environ, **site.environment, **mine, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    environment["PATH"] = f"{ROOT / '.venv' / 'bin'}:{environment['PATH']}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd, (tmp_path / "log").open("wb") as log:
        systemd.bind(environment["NOTIFY_SOCKET"])
        systemd.settimeout(30)
        with subprocess.Popen(command.split(), cwd=code, env=environment, stdout=log, stderr=log) as process:
            try:
                assert b"READY=1" in systemd.recv(4096)
                wait_for(lambda: responds(port), what="a response")
                process.send_signal(signal.SIGHUP)
                wait_for(lambda: (tmp_path / "log").read_text().count("Booting worker") == 4, what="fresh processes")
                wait_for(lambda: responds(port), what="a response after the reload")
            finally:
                process.terminate()
            assert process.wait(40) == 0


def responds(port: int) -> bool:
    try:
        return requests.get(f"http://127.0.0.1:{port}/readyz", timeout=2).status_code == 200
    except requests.RequestException:
        return False
