"""The torture in its short form: whole servers, killed, stopped and cheated; `make torture` is the long one."""

from __future__ import annotations

import pytest

from bench.postgres import Server
from bench.torture.flaws import FLAWS
from bench.torture.runner import perform
from bench.torture.scenes import ONLY_POSTGRES, ONLY_SQLITE
from bench.torture.verdict import Account

SHORT = {
    "kills": 6,
    "before the commit": 2,
    "after the commit": 2,
    "after the claim": 2,
    "after the notifier accepted": 2,
    "twins": 8,
    "sleep": 1,
    "full disk": 1,
    "clock": 2,
    "restart": 2,
    "away": 3,
    "cut": 12,
}
CAUGHT = {"kills": 6, "twins": 12, "sleep": 2, "full disk": 1}


def check(account: Account) -> None:
    """At least once, and never twice but where the message was out before its worker died."""
    assert account.acknowledged > 0
    assert account.lost == 0
    assert account.twins == 0
    assert (account.unexplained, account.overlapping, account.ended_twice) == (0, 0, 0)


@pytest.mark.parametrize("scene", [scene for scene in SHORT if scene not in ONLY_POSTGRES])
def test_sqlite_loses_nothing(scene: str) -> None:
    """Whatever happens to the server, what was acknowledged reaches its handler."""
    account = perform(scene, SHORT[scene])
    check(account)
    if scene == "kills":
        assert account.kills >= SHORT[scene]


@pytest.mark.postgres
@pytest.mark.parametrize("scene", ["kills", "after the commit", "twins", "sleep", "restart", "away", "cut"])
def test_postgres_loses_nothing(scene: str, postgres_server: Server) -> None:
    """The same promise on PostgreSQL, also when PostgreSQL itself is restarted."""
    assert scene not in ONLY_SQLITE
    check(perform(scene, SHORT[scene], server=postgres_server))


@pytest.mark.timeout(400)
@pytest.mark.parametrize("flaw", FLAWS)
def test_flawed_inbox_is_caught(flaw: str) -> None:
    """A torture that a wrong inbox survives would prove nothing.

    A flaw needs its moment, and a short scene may miss it: one performance of three has to catch it.
    """
    scene = FLAWS[flaw][1]
    assert any(not perform(scene, CAUGHT[scene], flaw=flaw).clean for _ in range(3))
