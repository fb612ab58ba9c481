"""One scene from its beginning to its account, and the lines of the table."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.postgres import Server
from bench.torture.proxy import Cutter
from bench.torture.scenes import LEASES, SCENES, WORK_SECONDS
from bench.torture.server import LEASE_SECONDS, Stage
from bench.torture.verdict import Account

HEADINGS = (
    f"{'scene':<32} {'database':<10} {'kills':>5} {'acked':>6} {'refused':>7} {'lost':>4} {'twins':>5} {'repeated':>8} "
    f"{'wrongly':>7} {'takeover s':>12}"
)


def perform(scene: str, count: int, *, flaw: str = "", server: Server | None = None) -> Account:
    """Plays the scene on a fresh inbox: in a SQLite file, or in `server`'s PostgreSQL."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        url = server.url() if server else f"sqlite:///{folder / 'inbox.sqlite3'}"
        line = stack.enter_context(Cutter(server.folder)) if server and scene == "cut" else None
        if server and line:
            url = url.replace(str(server.folder), str(line.folder))
        work, lease = WORK_SECONDS.get(scene, 0.0), LEASES.get(scene, LEASE_SECONDS)
        stage = Stage(folder, url, flaw=flaw, work=work, lease=lease, server=server, line=line)
        try:
            SCENES[scene](stage, count)
            return stage.settle()
        finally:
            stage.stop()


def row(name: str, database: str, account: Account) -> str:
    """`repeated`: the message was out before its worker died; `wrongly`: twice, or at once, without that excuse."""
    wrongly = account.unexplained + account.overlapping + account.ended_twice
    took = account.takeovers
    takeover = f"{statistics.median(took):.1f} / {max(took):.1f}" if took else ""
    counts = f"{account.kills:5d} {account.acknowledged:6d} {account.refused:7d} {account.lost:4d} {account.twins:5d}"
    return f"{name:<32} {database:<10} {counts} {account.repeated:8d} {wrongly:7d} {takeover:>12}"
