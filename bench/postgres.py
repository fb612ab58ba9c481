"""A private PostgreSQL server in a temporary folder, for tests and measurements."""

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
    """Return the folder of `initdb` and `postgres`; None if PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    found = [*sorted(INSTALLED.glob("*/bin"), reverse=True), *([Path(on_path).parent] if on_path else [])]
    return next((folder for folder in found if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


class Server:
    """A server that only listens on a Unix socket; use it with `with`, and create databases with `url`.

    Its files are in a new folder in `parent`, or where the system has its temporary files.
    """

    def __init__(self, *, parent: Path | None = None, **settings: str) -> None:
        found = binaries()
        if found is None:
            raise RuntimeError("PostgreSQL is not installed: apt install postgresql")
        self._binaries = found
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="inbox-pg-", dir=parent))
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        user = _user()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        options = ["--no-sync", "--auth=trust", "--username=inbox", "--encoding=UTF8", "--locale=C"]
        options.append(f"--pgdata={self.folder / 'data'}")
        subprocess.run([self._binaries / "initdb", *options], check=True, capture_output=True, **self._options())
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the server, and return when it accepts connections."""
        settings = {"unix_socket_directories": str(self.folder), "listen_addresses": "", **self._settings}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command: list[str | Path] = [self._binaries / "postgres", "-D", self.folder / "data", *options]
            process = subprocess.Popen(command, stdout=log, stderr=log, **self._options())
        self._process = process
        deadline = time.monotonic() + START_SECONDS
        while not self._accepts():
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: in order with SIGINT, at once as in a crash with SIGQUIT."""
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
        """Return whether the server was started and not stopped."""
        return self._process is not None

    def freeze(self, *, frozen: bool) -> None:
        """Suspend all processes of the server with SIGSTOP, or resume them."""
        assert self._process is not None
        import psutil  # noqa: PLC0415 - only needed here

        main = psutil.Process(self._process.pid)
        for process in (main, *main.children(recursive=True)):
            process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def processor_time(self) -> float:
        """Return the processor time that all processes of the server have used, in seconds."""
        assert self._process is not None
        import psutil  # noqa: PLC0415 - only needed here

        main = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (main, *main.children())]
        return sum(one.user + one.system for one in times)

    def url(self) -> str:
        """Create an empty database and return its DATABASE_URL."""
        name = f"inbox_{next(self._numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://inbox@/{name}?host={self.folder}"

    def drop_unused(self) -> None:
        """Drop the databases that `url` created and to which nothing is connected: each has 300 files."""
        connected = "SELECT datname FROM pg_stat_activity WHERE datname IS NOT NULL"
        unused = rf"SELECT datname FROM pg_database WHERE datname ~ '^inbox_\d+$' AND datname NOT IN ({connected})"
        with self.connect("postgres") as connection:
            for (name,) in connection.execute(unused):
                connection.execute(f"DROP DATABASE {name}")

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """Open a connection to the database `name`."""
        return psycopg.connect(host=str(self.folder), user="inbox", dbname=name, autocommit=True, connect_timeout=2)

    def _accepts(self) -> bool:
        try:
            self.connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def _options(self) -> dict[str, Any]:
        user = _user()
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}
        return {"cwd": self.folder, **identity}


def _user() -> pwd.struct_passwd | None:
    """Return the user to run PostgreSQL as, which refuses to run as root; None to run it as the current user."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]
