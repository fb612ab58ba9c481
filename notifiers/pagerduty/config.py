"""The variables of the PagerDuty notifier."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import variable
from notifiers.named import KEY, NamedConfig


@dataclass(frozen=True)
class PagerDutyConfig(NamedConfig):
    """The integration keys, one for each service of PagerDuty, and the address of the Events API."""

    list_variable: ClassVar[str] = "PAGERDUTY_KEYS"
    value_form: ClassVar[re.Pattern[str]] = KEY
    example_value: ClassVar[str] = "R0123…"

    keys: str = variable(
        "PAGERDUTY_KEYS",
        "Integration keys of PagerDuty (Events API v2), one for each service: `data=R0123…`, separated by spaces or "
        "commas, for `pagerduty:data`; the first one is `pagerduty`",
        secret=True,
        required=True,
    )
    api_url: str = variable(
        "PAGERDUTY_API_URL",
        "Address of PagerDuty's Events API; in the EU `https://events.eu.pagerduty.com`",
        default="https://events.pagerduty.com",
    )

    webhook_secret: str = variable(
        "PAGERDUTY_WEBHOOK_SECRET",
        "Secret of the webhook subscription in PagerDuty that reports acknowledgements to `/pagerduty/events`; "
        "several are separated by spaces or commas",
        secret=True,
    )

    def webhook_secrets(self) -> list[str]:
        """Return the secrets of the webhook subscriptions."""
        return [one for one in re.split(r"[\s,]+", self.webhook_secret) if one]

    def secrets(self) -> list[str]:
        """Return the keys and the secrets, each alone as well."""
        return [*super().secrets(), *self.webhook_secrets()]

    def service_urls(self) -> list[str]:
        """Return the address of the API."""
        return [self.api_url]
