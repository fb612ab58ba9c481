"""Keep one connection to Slack's Socket Mode over all processes and servers, and watch it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from notifiers import NotifierError, Notifiers, SlackConfig
from webhooks.clock import parse_time, utc_now
from webhooks.errors import StoreUnavailable
from webhooks.event_types import SLACK_DISCONNECTED
from webhooks.inbound.slack_presses import recorder, store_press
from webhooks.monitor.alerts import SLACK, Alert, Alerts

if TYPE_CHECKING:
    from notifiers.slack.interactions import Press
    from webhooks.inbox import Inbox

log = logging.getLogger(__name__)

LOCK = "slack socket mode"
# If the process with the connection is killed, another one takes over after a lease and a round: within 30 s.
LEASE_SECONDS = 20.0
ROUND_SECONDS = 5.0
# Seconds for which a connection may have a problem before it is replaced, and before people are notified.
PATIENCE_SECONDS, ALERT_SECONDS = 20.0, 180.0
# Seconds until the next attempt to connect, doubled after each failure up to the second figure.
RETRY_SECONDS, MAX_RETRY_SECONDS = 5.0, 60.0
# Seconds between two reports of the state that has not changed, and after which the last report says nothing.
REPORT_SECONDS, REPORT_VALID_SECONDS = 20.0, 60.0
STOP_SECONDS = 8.0
STATE = "slack socket mode"


class Connection(Protocol):
    """A connection to Slack; see notifiers/slack/socket_mode.py."""

    def open(self) -> None:
        """Connect. Raises NotifierError."""

    def problem(self) -> str:
        """Return why presses may not arrive; empty if they do."""

    def renew(self) -> None:
        """Replace an old connection. Raises NotifierError."""

    def close(self) -> None:
        """Close it."""


# Returns a connection that is not open yet, and calls the function for each press.
MakeConnection = Callable[[Callable[["Press"], bool]], Connection]


@dataclass(frozen=True, slots=True)
class SocketStatus:
    """The connection of all servers: which process has it, and what is wrong with it; empty if nothing is."""

    owner: str = ""
    problem: str = ""
    since: datetime | None = None


def build_socket_mode(inbox: Inbox, notifiers: Notifiers, *, ca_bundle: str = "") -> SocketMode | None:
    """Return the thread, not started; None without SLACK_APP_TOKEN."""
    config = notifiers.configs["slack"]
    if not isinstance(config, SlackConfig) or not config.app_token:
        return None

    def make(on_press: Callable[[Press], bool]) -> Connection:
        from notifiers.slack.socket_mode import Socket  # noqa: PLC0415 - slack_sdk is slow to import

        return Socket(config, on_press, ca_bundle=ca_bundle)

    return SocketMode(inbox, make)


def socket_status(inbox: Inbox, now: datetime) -> SocketStatus:
    """Return the last report. Raises StoreUnavailable."""
    stored = inbox.state.get(STATE)
    if not isinstance(stored, dict):
        return SocketStatus(problem="no server has connected yet")
    at, since = parse_time(stored.get("at")), parse_time(stored.get("since"))
    if at is None or (now - at).total_seconds() > REPORT_VALID_SECONDS:
        return SocketStatus(str(stored.get("owner", "")), "no server is connected", at)
    return SocketStatus(str(stored.get("owner", "")), str(stored.get("problem", "")), since)


class SocketMode:
    """A thread that connects while this process has the lock; every process with a worker has one."""

    def __init__(
        self,
        inbox: Inbox,
        make: MakeConnection,
        *,
        clock: Callable[[], datetime] = utc_now,
        round_seconds: float = ROUND_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
        alert_seconds: float = ALERT_SECONDS,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._inbox, self._make, self._clock = inbox, make, clock
        self._round_seconds, self._lease_seconds, self._alert_seconds = round_seconds, lease_seconds, alert_seconds
        self._record = recorder(lambda: inbox.presses)
        self._alerts = Alerts(inbox)
        self._connection: Connection | None = None
        self._next_attempt, self._failures = 0.0, 0
        # The problem, since when it is one (monotonic), and what was reported when.
        self._problem, self._problem_at = "", time.monotonic()
        self._reported: tuple[str, float] | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="slack-socket-mode", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the connection and let another process take over at once."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)
        with suppress(StoreUnavailable):
            self._inbox.locks.release(LOCK, self.name)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._inbox.locks.acquire(LOCK, self.name, self._lease_seconds):
                    self._keep_connected()
                    self._report()
                else:
                    self._close()
            except StoreUnavailable as error:
                # Another process may get the lock, and a press could not be stored here anyway.
                log.warning("Inbox unavailable, connection to Slack closed: %s", error)
                self._close()
            except Exception:
                log.exception("Socket Mode failed, trying again")
                self._close()
            self._stopping.wait(self._round_seconds)
        self._close()

    def _keep_connected(self) -> None:
        """Connect, or replace a connection that has had a problem for too long."""
        now = time.monotonic()
        if self._connection is not None and self._problem and now - self._problem_at > PATIENCE_SECONDS:
            self._close()
        try:
            if self._connection is not None:
                self._connection.renew()
            elif now >= self._next_attempt:
                self._connection = self._make(self._store)
                self._connection.open()
            problem = self._connection.problem() if self._connection else self._problem
        except NotifierError as error:
            self._close()
            self._failures += 1
            wait = min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2 ** min(self._failures - 1, 10))
            if error.retry_at:
                wait = max(wait, (error.retry_at - self._clock()).total_seconds())
            self._next_attempt, problem = now + wait, str(error)
        else:
            self._failures = 0 if self._connection and not problem else self._failures
        if problem != self._problem:
            if problem and not self._problem:
                self._problem_at = now
            log.log(logging.WARNING if problem else logging.INFO, "Slack's Socket Mode: %s", problem or "connected")
            self._problem = problem

    def _report(self) -> None:
        """Store the state for all servers, and notify people of a problem that lasts."""
        monotonic, now = time.monotonic(), self._clock()
        last = self._reported
        if last is None or last[0] != self._problem or monotonic - last[1] > REPORT_SECONDS:
            previous = socket_status(self._inbox, now)
            since = previous.since if previous.owner == self.name and previous.problem == self._problem else None
            state = {"owner": self.name, "problem": self._problem, "since": (since or now).isoformat()}
            self._inbox.state.set(STATE, state | {"at": now.isoformat()})
            self._reported = (self._problem, monotonic)
        if not self._problem:
            self._alerts.close(SLACK, now, "connected again")
        elif monotonic - self._problem_at > self._alert_seconds and not self._alerts.is_open(SLACK):
            text = (
                f"Buttons in Slack have no effect: {self._problem}. The server goes on trying. Check SLACK_APP_TOKEN "
                "and that Socket Mode is enabled for the app; flask doctor shows the state."
            )
            self._alerts.send(Alert(SLACK_DISCONNECTED, "The server is not connected to Slack", text), now)

    def _store(self, press: Press) -> bool:
        """Store a press, and return whether it may be acknowledged."""
        try:
            store_press(self._record, press)
        except StoreUnavailable as error:
            log.warning("Press not stored, inbox unavailable: %s", error)
            return False
        return True

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception as error:  # noqa: BLE001 - it is of no use any more
                log.debug("Connection to Slack not closed cleanly: %s", error)
            self._reported = None
