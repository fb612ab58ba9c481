"""A private PgBouncer in transaction mode in front of a private PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.postgres import Server

PORT = 6432
START_SECONDS = 20.0
# Fewer than the clients' connections, so that consecutive transactions use different sessions.
POOL_SIZE = 3


@contextmanager
def pgbouncer(program: str, server: Server) -> Iterator[str]:
    """Start PgBouncer and yield the DATABASE_URL of an empty database behind it."""
    name = urlsplit(server.url()).path.removeprefix("/")
    folder = Path(tempfile.mkdtemp(prefix="inbox-pgb-"))
    try:
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host={server.folder} user=inbox\n"
            f"[pgbouncer]\nlisten_port = {PORT}\nunix_socket_dir = {folder}\nauth_type = any\n"
            f"pool_mode = transaction\ndefault_pool_size = {POOL_SIZE}\nlogfile = {folder / 'log'}\n"
        )
        # PgBouncer refuses to run as root.
        options = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            options = {"user": user.pw_uid, "group": user.pw_gid}
        with subprocess.Popen([program, "-q", config], extra_groups=[] if options else None, **options) as process:
            try:
                deadline = time.monotonic() + START_SECONDS
                while not (folder / f".s.PGSQL.{PORT}").exists():
                    assert process.poll() is None, (folder / "log").read_text()
                    assert time.monotonic() < deadline, "PgBouncer did not start"
                    time.sleep(0.05)
                yield f"postgresql+psycopg://inbox@/{name}?host={folder}&port={PORT}"
            finally:
                process.terminate()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
