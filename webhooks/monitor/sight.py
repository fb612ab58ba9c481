"""One incident `blind` for each site while this server cannot see what happens on it, however many checks notice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo

from tableau_rest.errors import Forbidden, NotFound, SignInFailed, TableauError
from webhooks.clock import from_timestamp
from webhooks.event_types import DOWNTIME_ENDED
from webhooks.inbox.server.sight import SIGHT, SightRecord
from webhooks.monitor.alerts import BLIND, Alert, Alerts

# What can be lost.
WEBHOOKS, JOB_LIST, CREDENTIAL = "webhooks", "job list", "credential"
# An error of Tableau that may pass is a problem only if it lasts this long.
PATIENCE = timedelta(minutes=10)


class Sight:
    """The view on one site. Checks report to it; as the last check of a round it closes the incident."""

    def __init__(self, alerts: Alerts, zone: tzinfo = UTC) -> None:
        self._alerts, self._zone = alerts, zone
        self._found = False
        self._caught_up = 0
        self._unseen_from: datetime | None = None

    def lost(self, source: str, alert: Alert, error: TableauError, now: datetime) -> None:
        """Take into account that Tableau cannot be read, and alert: at once if it refuses, else after PATIENCE.

        A missing permission does not hide refreshes, because webhooks report them.
        """
        record = self._record
        since = record.lost.get(source, now.timestamp())
        is_hiding = not (error.permanent and isinstance(error, Forbidden | NotFound))
        hiding = record.hiding | {source} if is_hiding else record.hiding - {source}
        self._remember(replace(record, lost={**record.lost, source: since}, hiding=hiding))
        if isinstance(error, SignInFailed):
            alert = replace(alert, title="Tableau rejects the credential")
        if error.permanent:
            self._alerts.send_on_change(replace(alert, since=from_timestamp(since)), str(error), now)
        elif now - from_timestamp(since) >= PATIENCE:
            alert = replace(alert, title="Tableau cannot be reached", since=from_timestamp(since))
            self._alerts.send_on_change(alert, "unreachable", now)

    def found(self, source: str) -> None:
        """Take into account that this can be read; whatever it is, Tableau accepts the credential."""
        self._found = True
        for name in (source, CREDENTIAL):
            self.drop(name)

    def drop(self, source: str) -> None:
        """Take into account that this is no longer read."""
        record = self._record
        if source in record.lost:
            lost = {name: at for name, at in record.lost.items() if name != source}
            self._remember(replace(record, lost=lost, hiding=record.hiding & lost.keys()))

    def caught_up(self, number: int, unseen_from: datetime | None) -> None:
        """Take into account that reconciliation found missed events; `unseen_from` is when a long pause began."""
        self._caught_up += number
        self._unseen_from = unseen_from or self._unseen_from

    def run(self, now: datetime) -> None:
        """Close the incident if everything can be read again, and report what was missed during downtime."""
        record = self._record
        if not self._found:
            return
        self._found = False
        if not record.hiding:
            self._remember(replace(record, seen=now.timestamp()))
        if record.lost:
            return
        is_open = self._alerts.is_open(BLIND)
        if self._unseen_from and self._caught_up and not is_open:
            self._alerts.send(self._downtime(self._unseen_from, now), now)
        noun = "missed event was" if self._caught_up == 1 else "missed events were"
        missed = f"; {self._caught_up} {noun} found in its lists" if self._caught_up else ""
        self._alerts.close(BLIND, now, f"Tableau can be read again{missed}")
        self._caught_up, self._unseen_from = 0, None

    def _downtime(self, since: datetime, now: datetime) -> Alert:
        first, last = (f"{at.astimezone(self._zone):%Y-%m-%d %H:%M %Z}" for at in (since, now))
        text = (
            f"From {first} to {last} this server was not running, could not store events, or could not read Tableau. "
            "The events that it missed were found in Tableau's lists, and run late."
        )
        return Alert(DOWNTIME_ENDED, "This server could not receive events", text, since=since)

    @property
    def _record(self) -> SightRecord:
        return SightRecord.load(self._alerts.inbox.state, self._alerts.key)

    def _remember(self, record: SightRecord) -> None:
        self._alerts.remember(SIGHT, record.as_json())
