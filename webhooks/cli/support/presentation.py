"""Show incidents to people: times in TIMEZONE, destinations by their addresses, secrets masked."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from webhooks.cli.support import application, terminal
from webhooks.clock import utc_now
from webhooks.views import formats
from webhooks.views.addresses import address_of


@dataclass(frozen=True, slots=True)
class Presentation:
    """The current time, and the time zone in which people read all times."""

    now: datetime = field(default_factory=utc_now)
    zone: tzinfo = field(default_factory=lambda: application.settings().zone)

    def when(self, moment: datetime) -> str:
        """Return the short form of a time on a terminal, date and time in a pipe."""
        if sys.stdout.isatty():
            return formats.local_time(moment, self.now, self.zone)
        return formats.local_date_time(moment, self.zone)

    def line(self, text: str) -> str:
        """Return a text on one line, printable, with secrets masked."""
        return terminal.one_line(application.redact(text))

    def address(self, destination: str) -> str:
        """Return the address of a destination without the kind of its notifier: `#finance` for `slack:#finance`."""
        return self.line(address_of(destination, application.services().notifiers))
