"""Run one scene and return its verdict, and format the rows of the table."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.disk import PowerFailure
from bench.postgres import Server
from bench.torture.proxy import CuttingProxy
from bench.torture.scenes import LEASES, SCENES, WORK_SECONDS
from bench.torture.server import LEASE_SECONDS, TestedServer
from bench.torture.verdict import Verdict

HEADINGS = (
    f"{'scene':<32} {'database':<10} {'kills':>5} {'acked':>6} {'refused':>7} {'lost':>4} {'twice':>5} {'repeated':>8} "
    f"{'wrongly':>7} {'takeover s':>12}"
)


def run_scene(scene: str, count: int, *, flaw: str = "", server: Server | None = None) -> Verdict:
    """Run the scene on an empty inbox: in a SQLite file, or in the PostgreSQL of `server`."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        url = server.url() if server else f"sqlite:///{folder / 'inbox.sqlite3'}"
        proxy = stack.enter_context(CuttingProxy(server.folder)) if server and scene == "connection-loss" else None
        if server and proxy:
            url = url.replace(str(server.folder), str(proxy.folder))
        disk = PowerFailure(folder) if scene == "power-failures" else None
        work, lease = WORK_SECONDS.get(scene, 0.0), LEASES.get(scene, LEASE_SECONDS)
        tested = TestedServer(folder, url, flaw=flaw, work=work, lease=lease, database=server, proxy=proxy, disk=disk)
        try:
            SCENES[scene](tested, count)
            return tested.judge()
        finally:
            tested.stop()


def row(name: str, database: str, verdict: Verdict) -> str:
    """Return a row of the table.

    `repeated` counts messages that were sent before their worker died, `wrongly` those sent twice without that reason.
    """
    wrongly = verdict.unexplained + verdict.overlapping + verdict.ended_twice
    seconds = verdict.takeovers
    takeover = f"{statistics.median(seconds):.1f} / {max(seconds):.1f}" if seconds else ""
    counts = (
        f"{verdict.kills:5d} {verdict.acknowledged:6d} {verdict.refused:7d} {verdict.lost:4d} {verdict.stored_twice:5d}"
    )
    return f"{name:<32} {database:<10} {counts} {verdict.repeated:8d} {wrongly:7d} {takeover:>12}"
