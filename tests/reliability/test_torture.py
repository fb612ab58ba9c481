"""Test whole servers with the short form of the torture; `make torture` runs the long one."""

from __future__ import annotations

import pytest

from bench.postgres import Server
from bench.torture.flaws import FLAWS
from bench.torture.notices import run_notices
from bench.torture.runner import run_scene
from bench.torture.scenes import ONLY_POSTGRES, ONLY_SQLITE
from bench.torture.verdict import Verdict

COUNTS = {
    "kills": 6,
    "power-failures": 3,
    "killed-before-commit": 2,
    "killed-after-commit": 2,
    "killed-after-claim": 2,
    "killed-after-notification": 2,
    "concurrent-duplicates": 8,
    "suspended-process": 1,
    "full-disk": 1,
    "clock-change": 2,
    "database-restart": 2,
    "database-outage": 3,
    "connection-loss": 12,
}
FLAW_COUNTS = {"kills": 6, "power-failures": 2, "concurrent-duplicates": 12, "suspended-process": 2, "full-disk": 1}


def check(verdict: Verdict) -> None:
    """Check that each message was sent at least once, and twice only if its worker died after it was sent."""
    assert verdict.acknowledged > 0
    assert verdict.lost == 0
    assert verdict.stored_twice == 0
    assert (verdict.unexplained, verdict.overlapping, verdict.ended_twice) == (0, 0, 0)


@pytest.mark.parametrize("scene", [scene for scene in COUNTS if scene not in ONLY_POSTGRES])
def test_sqlite_loses_nothing(scene: str) -> None:
    """Every acknowledged event reaches its handler, whatever happens to the server."""
    verdict = run_scene(scene, COUNTS[scene])
    check(verdict)
    if scene == "kills":
        assert verdict.kills >= COUNTS[scene]


@pytest.mark.postgres
@pytest.mark.parametrize(
    "scene",
    [
        "kills",
        "killed-after-commit",
        "concurrent-duplicates",
        "suspended-process",
        "database-restart",
        "database-outage",
        "connection-loss",
    ],
)
def test_postgres_loses_nothing(scene: str, postgres_server: Server) -> None:
    """Every acknowledged event reaches its handler, also when PostgreSQL itself is restarted."""
    assert scene not in ONLY_SQLITE
    check(run_scene(scene, COUNTS[scene], server=postgres_server))


@pytest.mark.timeout(300)
def test_deaths_after_slack_accepted_repeat_nothing() -> None:
    """A process that dies when Slack has accepted a message, and before that is recorded, repeats and loses nothing."""
    verdict = run_notices(4)
    check(verdict)
    assert verdict.kills >= 4
    assert (verdict.repeated, verdict.dead) == (0, 0)


@pytest.mark.timeout(300)
def test_deaths_without_the_scopes_for_the_history_lose_nothing() -> None:
    """Without them a message may be repeated after such a death, because Slack cannot be asked; none is lost."""
    verdict = run_notices(3, history=False)
    assert verdict.kills >= 3
    assert (verdict.lost, verdict.dead) == (0, 0)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("flaw", FLAWS)
def test_flawed_inbox_is_caught(flaw: str) -> None:
    """A wrong inbox fails: a torture that it survives would prove nothing.

    A flaw needs its moment, which a short scene may miss: one run of three has to catch it.
    """
    scene = FLAWS[flaw][1]
    assert any(not run_scene(scene, FLAW_COUNTS[scene], flaw=flaw).clean for _ in range(3))
