"""A private PostgreSQL in a folder of its own, for tests and measurements; thrown away afterwards."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import psycopg

INSTALLED = Path("/usr/lib/postgresql")
START_SECONDS = 30.0
STOP_SECONDS = 15.0


def binaries() -> Path | None:
    """Where `initdb` and `postgres` are; None where PostgreSQL's server is not installed."""
    on_path = shutil.which("initdb")
    found = [*sorted(INSTALLED.glob("*/bin"), reverse=True), *([Path(on_path).parent] if on_path else [])]
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


class Server:
    """A server that listens on a Unix socket only. Use it with `with`; `url()` makes a fresh database."""

    def __init__(self, **settings: str) -> None:
        found = binaries()
        if found is None:
            raise RuntimeError("PostgreSQL's server is not installed: apt install postgresql")
        self._binaries = found
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="inbox-pg-"))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        user = _somebody()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        options: list[str | Path] = [
            "--no-sync",
            "-A",
            "trust",
            "-U",
            "inbox",
            "-E",
            "UTF8",
            "--locale=C",
            "-D",
            self.folder / "data",
        ]
        subprocess.run([self._binaries / "initdb", *options], check=True, capture_output=True, **self._as_somebody())
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        settings = {"unix_socket_directories": str(self.folder), "listen_addresses": "", **self._settings}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command: list[str | Path] = [self._binaries / "postgres", "-D", self.folder / "data", *options]
            process = subprocess.Popen(command, stdout=log, stderr=log, **self._as_somebody())
        self._process = process
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT cuts connections and ends in order, SIGQUIT ends at once, as a crash would."""
        if self._process is not None:
            self._process.send_signal(how)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @property
    def running(self) -> bool:
        return self._process is not None

    def freeze(self, *, frozen: bool) -> None:
        """Stops every process of the server with SIGSTOP, or lets them go on."""
        assert self._process is not None
        import psutil  # noqa: PLC0415 — for this only

        main = psutil.Process(self._process.pid)
        for process in (main, *main.children(recursive=True)):
            process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def url(self) -> str:
        """The DATABASE_URL of a database that nobody has used."""
        name = f"inbox_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://inbox@/{name}?host={self.folder}"

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user="inbox", dbname=name, autocommit=True, connect_timeout=2)

    def _answers(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _as_somebody(self) -> dict[str, Any]:
        user = _somebody()
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        return {"cwd": self.folder, **who}


def _somebody() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root, so it runs as somebody else then."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
