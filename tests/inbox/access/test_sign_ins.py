"""Test sessions and failures of sign-ins to the pages."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import text

from tests.support.databases import Clock
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.inbox.access.sign_ins import (
    MAX_FAILURES,
    MAX_OF_ACCOUNT,
    PERIOD_SECONDS,
    SEEN_SECONDS,
    SESSION_SECONDS,
    Owner,
)

SECRET = "secret of the test"


def test_sessions_end(url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """A session is found with its password until its end, and its value is in no column."""
    sign_ins = (box := opened(url, clock=clock)).sign_ins
    value = sign_ins.start(name="Ann", role="viewer", address="10.0.0.7", password=SECRET)
    found = sign_ins.find(value, SECRET)
    assert found is not None
    assert (found.name, found.role) == ("Ann", "viewer")
    assert sign_ins.find(value, "another") is None
    assert value not in str(box.store.rows(text("SELECT * FROM page_sessions")))
    clock.forward(SESSION_SECONDS + 1)
    assert sign_ins.find(value, SECRET) is None
    # The next sign-in deletes what has ended.
    sign_ins.start(name="Ben", role="viewer", address="10.0.0.7", password=SECRET)
    assert len(box.store.rows(text("SELECT * FROM page_sessions"))) == 1


def test_use_of_a_session_is_stored_now_and_then(url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """The time of the last use is stored once in five minutes, so that open pages write little."""
    sign_ins = opened(url, clock=clock).sign_ins
    value = sign_ins.start(name="Ann", role="viewer", address="10.0.0.7", password=SECRET)
    (begun,) = sign_ins.sessions(SECRET)
    assert begun.seen_at == begun.created_at
    clock.forward(SEEN_SECONDS - 10)
    sign_ins.find(value, SECRET)
    assert sign_ins.sessions(SECRET) == [begun]
    clock.forward(11)
    sign_ins.find(value, "another")
    assert sign_ins.sessions(SECRET) == [begun]
    sign_ins.find(value, SECRET)
    (used,) = sign_ins.sessions(SECRET)
    assert 300 <= (used.seen_at - used.created_at).total_seconds() < 320
    clock.forward(SESSION_SECONDS)
    assert sign_ins.sessions(SECRET) == []


def test_lists_have_the_sessions_that_can_be_used(url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """A session ends with the password; one of an earlier version is listed until it expires; all, if none is known."""
    sign_ins = (box := opened(url, clock=clock)).sign_ins
    first, second = (
        sign_ins.start(name=name, role="viewer", address="10.0.0.7", password=password, subject=name)
        for name, password in (("Ann", "old"), ("Ben", SECRET))
    )
    assert [one.name for one in sign_ins.sessions(SECRET)] == ["Ben"]
    assert [one.name for one in sign_ins.sessions("old")] == ["Ann"]
    assert [one.name for one in sign_ins.sessions(SECRET, Owner("", "Ann"))] == []
    assert len(sign_ins.sessions(None)) == 2
    own = sign_ins.sessions(SECRET)[0].id
    assert sign_ins.end_others(own, SECRET) == 0
    assert (sign_ins.find(first, "old"), sign_ins.find(second, SECRET) is None) == (None, False)
    box.store.execute(text("UPDATE page_sessions SET password_mark = ''"))
    assert len(sign_ins.sessions("any")) == 1
    assert (sign_ins.end_all(SECRET), sign_ins.sessions(None)) == (1, [])


def test_session_is_found_while_nothing_can_be_stored(
    url: str, opened: Callable[..., Inbox], clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only one request in a minute tries to store that the session is in use, because it may have to wait."""
    box = opened(url, clock=clock)
    value = box.sign_ins.start(name="Ann", role="viewer", address="10.0.0.7", password=SECRET)
    clock.forward(SEEN_SECONDS)
    tries = []

    def fail(statement: object) -> None:
        tries.append(statement)
        raise StoreUnavailable("locked")

    monkeypatch.setattr(box.store, "execute", fail)
    assert box.sign_ins.find(value, SECRET)
    assert box.sign_ins.find(value, SECRET)
    assert len(tries) == 1


def test_failures_are_counted_by_account(url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """Guesses from many addresses stop all addresses but those with a session, until the period is over."""
    sign_ins = opened(url, clock=clock).sign_ins
    sign_ins.start(name="Ann", role="admin", address="10.0.0.7", password=SECRET)
    for number in range(MAX_OF_ACCOUNT):
        assert sign_ins.wait_seconds("10.9.9.9", "admin") == 0
        sign_ins.record_failure(f"10.1.0.{number}", "admin")
    assert 0 < sign_ins.wait_seconds("10.9.9.9", "admin") <= PERIOD_SECONDS
    assert sign_ins.wait_seconds("10.9.9.9") == sign_ins.wait_seconds("10.0.0.7", "admin") == 0
    # Also an address with a session waits after failures of its own.
    for _ in range(MAX_FAILURES):
        sign_ins.record_failure("10.0.0.7", "admin")
    assert sign_ins.wait_seconds("10.0.0.7", "admin") > 0
    # A session that begins elsewhere does not let others guess on.
    sign_ins.start(name="Ben", role="admin", address="10.0.0.8", password=SECRET)
    assert sign_ins.wait_seconds("10.9.9.9", "admin") > 0
    # Nor does one that has ended with a change of the password.
    assert sign_ins.wait_seconds("10.0.0.8", "admin", password=SECRET) == 0
    assert sign_ins.wait_seconds("10.0.0.8", "admin", password="another") > 0
    clock.forward(PERIOD_SECONDS + 1)
    assert sign_ins.wait_seconds("10.9.9.9", "admin") == 0


def test_failures_are_counted_by_address(url: str, opened: Callable[..., Inbox], clock: Clock) -> None:
    """An address waits after too many, until the period is over; a success forgets them; others do not wait."""
    sign_ins = opened(url, clock=clock).sign_ins
    for _ in range(MAX_FAILURES):
        assert sign_ins.wait_seconds("10.0.0.7") == 0
        sign_ins.record_failure("10.0.0.7")
    assert 0 < sign_ins.wait_seconds("10.0.0.7") <= PERIOD_SECONDS
    assert sign_ins.wait_seconds("10.0.0.8") == 0
    clock.forward(PERIOD_SECONDS + 1)
    assert sign_ins.wait_seconds("10.0.0.7") == 0
    sign_ins.record_failure("10.0.0.7")
    sign_ins.start(name="Ann", role="admin", address="10.0.0.7", password=SECRET)
    for _ in range(MAX_FAILURES - 1):
        sign_ins.record_failure("10.0.0.7")
    assert sign_ins.wait_seconds("10.0.0.7") == 0
