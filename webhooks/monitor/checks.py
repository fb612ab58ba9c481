"""Check our webhooks in Tableau, our certificate and the stream of events; alert once per change."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.clock import from_timestamp
from webhooks.event_types import CERTIFICATE_EXPIRING, NO_EVENTS_RECEIVED, WEBHOOK_CHECK_FAILED, WEBHOOKS_DRIFTED
from webhooks.inbox.server.webhook_checks import CHECKED_AT
from webhooks.monitor import certificate, gaps, sight
from webhooks.monitor.alerts import CERTIFICATE, EVENTS, WEBHOOKS, Alert, Alerts
from webhooks.monitor.outages import no_outage
from webhooks.monitor.sight import Sight
from webhooks.registration import Change, ChangeKind, apply_changes, compare, registered
from webhooks.webhook_url import mask_url

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

REPAIRS = "repairs"
# If Tableau disables a webhook more often than that, there is a reason that a person has to find.
REPAIRS_PER_DAY = 3
# Tableau may disable a webhook this long after an outage of ours, so that an earlier check still saw it enabled.
OUTAGE_MARGIN = timedelta(minutes=10)
# An alert is sent when this many days are left until the certificate expires, each once.
EXPIRY_STAGES = (14, 7, 3, 1)


@dataclass(frozen=True, slots=True)
class DesiredWebhooks:
    """The webhooks that a site should have: one to `url` per event type, named with `label`.

    With `repair`, a webhook that Tableau disabled is enabled again.
    """

    event_types: Sequence[str]
    url: str
    label: str
    repair: bool = True


class WebhookCheck:
    """Compare our webhooks on one site with the desired ones, and enable those that Tableau disabled.

    `last_outage` returns the time of the last outage of our own. A repair after one is not counted: Tableau disabled
    the webhook because of the outage, and not for a reason that a person has to find.
    """

    def __init__(
        self,
        alerts: Alerts,
        tableau: Callable[[], Tableau],
        desired: DesiredWebhooks,
        *,
        last_outage: Callable[[], float | None] = no_outage,
        sight: Sight | None = None,
    ) -> None:
        self._alerts, self._tableau, self._desired, self._last_outage = alerts, tableau, desired, last_outage
        self._sight = sight or Sight(alerts)
        self._repaired: frozenset[str] = frozenset()

    def take_repaired(self) -> frozenset[str]:
        """Return the event types whose webhooks were enabled again since the last call."""
        repaired, self._repaired = self._repaired, frozenset()
        return repaired

    def run(self, now: datetime) -> None:
        """Alert about each difference once, and if Tableau refuses the check, or has not responded for a while."""
        try:
            self._compare(now)
        except TableauError as error:
            if not error.permanent:
                log.warning("Webhook check postponed: %s", error)
            advice = "Until this is fixed, a webhook that Tableau disables goes unnoticed. Run flask doctor."
            alert = Alert(WEBHOOK_CHECK_FAILED, "The webhooks in Tableau cannot be checked", f"{error} {advice}")
            self._sight.lost(sight.WEBHOOKS, alert, error, now)
        else:
            self._alerts.forget(WEBHOOK_CHECK_FAILED)
            self._sight.found(sight.WEBHOOKS)

    def _compare(self, now: datetime) -> None:
        desired = self._desired
        existing = list(self._tableau().webhooks())
        self._alerts.remember(registered.KEY, registered.registered_event_types(existing, desired.label))
        changes = [
            change
            for change in compare(existing, desired.event_types, url=desired.url, label=desired.label)
            if change.kind in {ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.ENABLE}
        ]
        # An outage since about the last time when the webhooks were listed may be why Tableau disabled some.
        checked_at, outage = self._alerts.recall(CHECKED_AT), self._last_outage()
        self._alerts.remember(CHECKED_AT, now.timestamp())
        margin = OUTAGE_MARGIN.total_seconds()
        after_outage = outage is not None and (checked_at is None or outage > checked_at - margin)
        disabled = [change for change in changes if change.kind is ChangeKind.ENABLE]
        repaired, exhausted = self._repair(disabled, now, after_outage=after_outage)
        self._repaired |= repaired
        remaining = {
            f"{change.event_type} {change.kind} {change.reason}": change
            for change in changes
            if change.event_type not in repaired
        }
        alerted = set(self._alerts.recall(WEBHOOKS_DRIFTED) or [])
        new = [change for state, change in remaining.items() if state not in alerted]
        enabled = [change for change in changes if change.event_type in repaired]
        if new or enabled:
            since = from_timestamp(checked_at) if checked_at and disabled else None
            alert = _drift_alert(enabled, new, exhausted, after_outage=after_outage)
            self._alerts.send(replace(alert, since=since, level=len(remaining)), now)
        if not remaining:
            self._alerts.close(WEBHOOKS, now, "enabled again" if enabled else "the webhooks are correct again")
        if alerted != remaining.keys():
            self._alerts.remember(WEBHOOKS_DRIFTED, sorted(remaining))

    def _repair(self, disabled: Sequence[Change], now: datetime, *, after_outage: bool) -> tuple[set[str], set[str]]:
        """Enable the disabled webhooks; return the event types of those, and of those that were enabled too often.

        Repairs after an outage of our own are neither limited nor counted.
        """
        if not disabled or not self._desired.repair:
            return set(), set()
        day_ago = (now - timedelta(days=1)).timestamp()
        repairs: dict[str, list[float]] = self._alerts.recall(REPAIRS) or {}
        recent = {event_type: [at for at in times if at > day_ago] for event_type, times in repairs.items()}
        exhausted = {
            one.event_type
            for one in disabled
            if len(recent.get(one.event_type, [])) >= REPAIRS_PER_DAY and not after_outage
        }
        chosen = [change for change in disabled if change.event_type not in exhausted]
        outcomes = apply_changes(chosen, self._tableau())
        repaired = {outcome.change.event_type for outcome in outcomes if outcome.error is None}
        for event_type in repaired if not after_outage else ():
            recent[event_type] = [*recent.get(event_type, []), now.timestamp()]
        self._alerts.remember(REPAIRS, recent)
        return repaired, exhausted


class CertificateCheck:
    """Check the certificate of the webhook URL."""

    def __init__(
        self,
        alerts: Alerts,
        url: str,
        *,
        fetch: Callable[[str], certificate.Certificate] = certificate.fetch,
    ) -> None:
        self._alerts, self._url, self._fetch = alerts, url, fetch

    def run(self, now: datetime) -> None:
        """Alert 14, 7, 3 and 1 days before the certificate expires, and once if it is not trusted."""
        if not self._url.startswith("https://"):
            return
        try:
            found = self._fetch(self._url)
        except certificate.Untrusted as error:
            text = f"Tableau does not deliver to {mask_url(self._url)}: {error}."
            title = "The certificate of the webhook URL is not trusted"
            alert = Alert(CERTIFICATE_EXPIRING, title, text, level=len(EXPIRY_STAGES))
            self._alerts.send_on_change(alert, str(error), now)
            return
        except certificate.CertificateError:
            # The address may be unreachable from here although Tableau reaches it.
            self._alerts.forget(CERTIFICATE_EXPIRING)
            return
        days = found.days_left(now)
        stage = min((stage for stage in EXPIRY_STAGES if days < stage), default=None)
        if stage is None:
            self._alerts.forget(CERTIFICATE_EXPIRING)
            self._alerts.close(CERTIFICATE, now, f"the certificate is valid until {found.expires_at:%Y-%m-%d}")
            return
        when = f"in {days} day{'' if days == 1 else 's'}" if days > 0 else "today"
        text = (
            f"The certificate of {found.host} expires on {found.expires_at:%Y-%m-%d} ({when}). Renew it: Tableau does "
            "not deliver to an address whose certificate has expired."
        )
        title = f"The certificate of {found.host} expires soon"
        alert = Alert(CERTIFICATE_EXPIRING, title, text, level=EXPIRY_STAGES.index(stage))
        self._alerts.send_on_change(alert, f"{found.expires_at:%Y-%m-%d} {stage}", now)


class GapCheck:
    """Check that events keep coming in; times in alerts are in `zone`."""

    def __init__(self, alerts: Alerts, zone: tzinfo = UTC) -> None:
        self._alerts, self._zone = alerts, zone

    def run(self, now: datetime) -> None:
        """Alert once if the last event was received unusually long ago."""
        times = self._alerts.inbox.events.received_times()
        seconds = gaps.unusual_gap(times, now.timestamp())
        if seconds is None:
            self._alerts.forget(NO_EVENTS_RECEIVED)
            self._alerts.close(EVENTS, now, "events are received again")
            return
        hours = f"{seconds / 3600:.0f} hours"
        last = from_timestamp(times[0]).astimezone(self._zone)
        text = (
            f"The last event was received at {last:%Y-%m-%d %H:%M %Z}. That is longer ago than usual for this server. "
            "Check the webhooks with flask webhooks list, and the server with flask doctor."
        )
        alert = Alert(NO_EVENTS_RECEIVED, f"No events received for {hours}", text)
        self._alerts.send_on_change(alert, f"{times[0]:.0f}", now)


def _drift_alert(enabled: Sequence[Change], new: Sequence[Change], exhausted: set[str], *, after_outage: bool) -> Alert:
    lines = [f"The webhook for {one.event_type} {one.reason}. It has been enabled again." for one in enabled]
    if enabled and after_outage:
        lines.append("This server was started, or could not accept events, shortly before.")
    for change in new:
        limit = f" It was enabled {REPAIRS_PER_DAY} times within a day and stays disabled now."
        lines.append(
            f"The webhook for {change.event_type} {change.reason}." + (limit if change.event_type in exhausted else "")
        )
    if new:
        lines.append("To correct this, run flask webhooks sync.")
    count, were = _count(new), "is" if len(new) == 1 else "are"
    if not new:
        title = f"{_count(enabled)} enabled again in Tableau"
    elif all(change.kind is ChangeKind.CREATE for change in new):
        title = f"{count} {were} missing in Tableau"
    else:
        title = f"{count} in Tableau {'needs' if len(new) == 1 else 'need'} attention"
    return Alert(WEBHOOKS_DRIFTED, title, "\n".join(lines))


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes)} webhook{'' if len(changes) == 1 else 's'}"
