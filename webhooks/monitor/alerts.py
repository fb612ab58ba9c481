"""How the watch tells what it found: once for each change, and kept before it is noted as told."""

from __future__ import annotations

import logging
from datetime import datetime

from webhooks.inbox import Inbox
from webhooks.monitor.alert_events import ORIGIN, Notice

log = logging.getLogger(__name__)


def tell(inbox: Inbox, notice: Notice, now: datetime) -> None:
    """Makes an event of the notice; it is planned and retried like every other."""
    log.warning("%s: %s", notice.kind, notice.text)
    inbox.make(notice.event(now), ORIGIN, now)


def tell_change(inbox: Inbox, kind: str, found: str | None, now: datetime, text: str, *, key: str = "") -> None:
    """Tells what is found when it is something else than last time; that it has passed is not told. `key` stands behind
    the kind in what is noted, where each site has a note of its own.

    First kept, then noted as told: whoever dies in between tells it twice, and not never.
    """
    if found == inbox.noted(kind + key):
        return
    if found is not None:
        tell(inbox, Notice(kind, text), now)
    inbox.note(kind + key, found)


def of_site(site: str, text: str) -> str:
    """The text, with the site's name before it where it has one."""
    return f"Site {site}: {text}" if site else text
