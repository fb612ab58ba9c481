"""Cause a heartbeat every minute: an event that goes the whole way, at whose end its job calls HEARTBEAT_URL.

This server is first sent a test request through its own address, so that a server that accepts no requests has no
heartbeat either. docs/howto/watch.md says what each stage is.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from notifiers import NotifierError
from notifiers.transport import Request, Timeouts, Transport
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable
from webhooks.event import MONITOR, build
from webhooks.event_types import HEARTBEAT_DUE, HEARTBEAT_RESOURCE
from webhooks.inbox import EventRecord, Inbox
from webhooks.job import HEARTBEAT, JobState

log = logging.getLogger(__name__)

# Seconds between two looks whether a new minute has begun; after an error it is tried again as often.
TRY_SECONDS = 10.0
STOP_SECONDS = 2.0
TIMEOUTS = Timeouts(2.0, 3.0, 5.0)
# The receiver logs a test request with this header only in detail.
HEADERS = {"Heartbeat": "1", "Content-Type": "application/json"}
# Events of heartbeats are deleted after this time.
KEPT = timedelta(minutes=10)
# The clock of the machine was set back if it is this much earlier than before.
SET_BACK = timedelta(seconds=30)
# Why the event of the last minute has not led to a call, by the state of its job.
WAITING = {
    JobState.READY: "the job of the last minute waits for a free thread",
    JobState.RUNNING: "the job of the last minute has not ended",
}
UNPLANNED = "the event of the last minute is not planned yet"
NO_JOB = "the event of the last minute could not be planned"
# Numbers differ from minute to minute; they do not make a reason a different one.
NUMBERS = re.compile("[0-9]+")


class NoHeartbeat(Exception):
    """A stage of the heartbeat does not work; the text says which."""


class Heartbeat:
    """Adds one event a minute, however many processes do so; `hook` is the address of this server's receiver.

    The log has one line when the calls cease, with the reason, and one when they resume.
    """

    def __init__(self, inbox: Callable[[], Inbox], hook: str, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._inbox, self._hook, self._clock = inbox, hook, clock
        self._transport = Transport("This server", secrets=[hook])
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self._minute: datetime | None = None
        self._latest: datetime | None = None
        self._event_id: int | None = None
        self._reason = ""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop; the thread ends soon."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def beat(self, now: datetime) -> None:
        """Add the event of this minute unless that was done, and look whether the last one has led to a call.

        Raises NoHeartbeat, NotifierError and StoreUnavailable.
        """
        minute = now.replace(second=0, microsecond=0)
        if minute == self._minute:
            return
        last, self._event_id = self._event_id, None
        response = self._transport.send(Request("POST", self._hook, HEADERS, b"{}"), TIMEOUTS)
        if response.status != 200:
            raise NoHeartbeat(f"the receiver responds with {response.status}")
        inbox = self._inbox()
        # Rehearses the statements that store an event of Tableau.
        inbox.check_writable()
        if self._latest and now < self._latest - SET_BACK:
            # There are events of these minutes already, and they would be taken for the same ones.
            inbox.retention.delete_synthetic(HEARTBEAT_DUE, HEARTBEAT_RESOURCE, since=minute.timestamp())
        self._latest = now
        event = build(
            HEARTBEAT_DUE,
            origin=MONITOR,
            resource="WEBHOOK",
            resource_name="Heartbeat",
            resource_luid=HEARTBEAT_RESOURCE,
            # The same for all processes, which makes it one event.
            created_at=f"{minute:%Y-%m-%dT%H:%M:%S}Z",
            text=now.isoformat(),
        )
        self._event_id = inbox.synthetic_events.add(event, MONITOR, now).id
        self._minute = minute
        inbox.retention.delete_synthetic(HEARTBEAT_DUE, HEARTBEAT_RESOURCE, before=(now - KEPT).timestamp())
        record = None if last is None or last == self._event_id else inbox.events.get(last)
        if record and (obstacle := _obstacle(record)):
            raise NoHeartbeat(obstacle)
        self._report("")

    def try_beat(self) -> None:
        """Run `beat` for the current time, and log when the calls cease and when they resume. Raises nothing."""
        try:
            self.beat(self._clock())
        except NoHeartbeat as error:
            self._report(str(error))
        except NotifierError as error:
            self._report(f"the receiver does not respond: {error}", stage="receiver")
        except StoreUnavailable as error:
            self._report(f"events cannot be stored: {error}", stage="database")
        except Exception as error:
            self._report(f"{type(error).__name__}: {error}")
            log.debug("No heartbeat", exc_info=True)

    def _run(self) -> None:
        while not self._stopping.wait(TRY_SECONDS):
            self.try_beat()

    def _report(self, reason: str, stage: str = "") -> None:
        """Log why heartbeats have ceased, once for each `stage`; without a reason, log that they have resumed."""
        known, self._reason = self._reason, stage or NUMBERS.sub("", reason)
        if self._reason == known:
            return
        if reason:
            log.warning("No heartbeat: %s", reason)
        else:
            log.warning("Heartbeat resumed")


def _obstacle(record: EventRecord) -> str:
    """Return why the event of the last minute has not led to a call; empty if it has."""
    if record.state == "received":
        return UNPLANNED
    job = next((one.job for one in record.jobs if one.job.handler == HEARTBEAT), None)
    if job is None:
        return NO_JOB
    return "" if job.state is JobState.DONE else WAITING.get(job.state) or job.error or job.state.word
