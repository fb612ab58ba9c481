"""One round of the watch: looks at our webhooks, our certificate and the stream of events; tells what changed, once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import TableauError
from webhooks.event_types import CERTIFICATE_EXPIRING, NO_EVENTS_RECEIVED, WEBHOOK_CHECK_FAILED, WEBHOOKS_DRIFTED
from webhooks.inbox import Inbox
from webhooks.monitor import certificate, gaps
from webhooks.monitor.alerts import (
    Alert,
    alert_on_change,
    prefix_site,
    raise_alert,
)
from webhooks.registration import Change, ChangeKind, apply_changes, compare
from webhooks.webhook_url import mask_url

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

SYNC = "flask webhooks sync puts it right."
REPAIRS = "repairs"
REPAIRS_A_DAY = 3
"""One that Tableau switches off again and again has a reason; then a person has to look."""
STAGES = (14, 7, 3, 1)
"""Days before a certificate's end at which it is told, each once."""


@dataclass(frozen=True, slots=True)
class DesiredWebhooks:
    """What should be: these event types come to this URL, from webhooks with this label."""

    wanted: Sequence[str]
    url: str
    label: str
    repair: bool = True
    site: str = ""
    """The site's name, where people have to be told which one."""


class WebhookCheck:
    """Looks and tells, for one site. It may be called by one process at a time; what was told is noted in the inbox,
    with `key` behind what is about the site."""

    def __init__(
        self,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        aims: DesiredWebhooks,
        *,
        key: str = "",
        look_at: Callable[[str], certificate.Certificate] = certificate.fetch,
    ) -> None:
        self._inbox, self._tableau, self._aims, self._key, self._look_at = inbox, tableau, aims, key, look_at

    def look(self, now: datetime) -> None:
        """One round, with our own side: the certificate, and whether anything comes."""
        self._certificate(now)
        self._silence(now)
        self.look_at_site(now)

    def look_at_site(self, now: datetime) -> None:
        """Our webhooks there. A Tableau that is away now is no news; one that refuses us is told once."""
        try:
            self._webhooks(now)
        except TableauError as error:
            if not error.permanent:
                log.warning("Our webhooks could not be looked at this time: %s", error)
                return
            text = f"{error} Nobody notices now if Tableau switches a webhook off."
            alert_on_change(
                self._inbox, WEBHOOK_CHECK_FAILED, str(error), now, prefix_site(self._aims.site, text), key=self._key
            )
        else:
            alert_on_change(self._inbox, WEBHOOK_CHECK_FAILED, None, now, "", key=self._key)

    def _webhooks(self, now: datetime) -> None:
        aims = self._aims
        steps = compare(self._tableau().webhooks(), aims.wanted, url=aims.url, label=aims.label)
        wrong = [step for step in steps if step.kind in {ChangeKind.CREATE, ChangeKind.UPDATE, ChangeKind.ENABLE}]
        repaired = self._repair([step for step in wrong if step.kind is ChangeKind.ENABLE], now)
        left = [step for step in wrong if step.event_type not in repaired]
        before = set(self._inbox.state.get(WEBHOOKS_DRIFTED + self._key) or [])
        news = [f"{step.event_type}: {_state(step)}. {SYNC}" for step in left if _key(step) not in before]
        told = [
            f"{step.event_type}: {step.reason}. It is switched on again."
            for step in wrong
            if step.event_type in repaired
        ]
        if news or told:
            raise_alert(self._inbox, Alert(WEBHOOKS_DRIFTED, prefix_site(aims.site, "\n".join([*told, *news]))), now)
        if before != {_key(step) for step in left}:
            self._inbox.state.set(WEBHOOKS_DRIFTED + self._key, sorted(_key(step) for step in left))

    def _repair(self, disabled: Sequence[Change], now: datetime) -> set[str]:
        """Switches on again what Tableau has switched off, unless it was often already; gives those event types."""
        if not disabled or not self._aims.repair:
            return set()
        day_ago = (now - timedelta(days=1)).timestamp()
        noted: dict[str, list[float]] = self._inbox.state.get(REPAIRS + self._key) or {}
        recent = {event: [at for at in times if at > day_ago] for event, times in noted.items()}
        chosen = [step for step in disabled if len(recent.get(step.event_type, [])) < REPAIRS_A_DAY]
        done = {one.change.event_type for one in apply_changes(chosen, self._tableau()) if one.error is None}
        for event in done:
            recent[event] = [*recent.get(event, []), now.timestamp()]
        self._inbox.state.set(REPAIRS + self._key, recent)
        return done

    def _certificate(self, now: datetime) -> None:
        if not self._aims.url.startswith("https://"):
            return
        try:
            shown = self._look_at(self._aims.url)
        except certificate.CertificateError as error:
            # From here it may be out of reach although Tableau reaches it: only what it shows counts.
            found = str(error) if "not trusted" in str(error) else None
            alert_on_change(
                self._inbox,
                CERTIFICATE_EXPIRING,
                found,
                now,
                f"{found}. Tableau does not deliver to {mask_url(self._aims.url)}.",
            )
            return
        days = shown.days_left(now)
        stage = min((stage for stage in STAGES if days < stage), default=None)
        key = None if stage is None else f"{shown.ends_at:%Y-%m-%d} {stage}"
        text = f"The certificate of {shown.host} ends on {shown.ends_at:%Y-%m-%d}, in {max(days, 0)} days. Renew it."
        alert_on_change(self._inbox, CERTIFICATE_EXPIRING, key, now, text)

    def _silence(self, now: datetime) -> None:
        times = self._inbox.events.received_times()
        quiet = gaps.unusual_gap(times, now.timestamp())
        key = f"{times[0]:.0f}" if quiet is not None else None
        hours = (quiet or 0.0) / 3600
        text = f"The last event came {hours:.0f} hours ago. Look at flask webhooks list and flask doctor."
        alert_on_change(self._inbox, NO_EVENTS_RECEIVED, key, now, text)


def _key(step: Change) -> str:
    return f"{step.event_type} {step.kind} {step.reason}"


def _state(step: Change) -> str:
    said: dict[ChangeKind, str] = {ChangeKind.CREATE: "there is no webhook for it"}
    return said.get(step.kind, step.reason)
