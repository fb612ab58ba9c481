"""The variables of the Twilio notifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from notifiers.config import Config, variable


@dataclass(frozen=True)
class TwilioConfig(Config):
    """The account, its auth token or an API key, the sender, the default number, and Twilio's address."""

    address_variable: ClassVar[str] = "TWILIO_TO"

    account_sid: str = variable("TWILIO_ACCOUNT_SID", "Twilio account (AC…)", required=True)
    auth_token: str = variable("TWILIO_AUTH_TOKEN", "Auth token of the account; or use an API key", secret=True)
    sender: str = variable(
        "TWILIO_FROM", "Sender: a number (+1555…), a name, or a messaging service (MG…)", required=True
    )
    to: str = variable("TWILIO_TO", "Number of the destination `twilio` (+1555…)")
    whatsapp_sender: str = variable(
        "TWILIO_WHATSAPP_FROM", "Sender of WhatsApp messages (+1555…), or a messaging service (MG…)"
    )
    whatsapp_content: str = variable(
        "TWILIO_WHATSAPP_CONTENT_SID", "Approved template (HX…) of WhatsApp messages, with four variables"
    )
    api_url: str = variable(
        "TWILIO_API_URL",
        "Address of Twilio, the part before /2010-04-01; for another region e.g. https://api.dublin.ie1.twilio.com",
        default="https://api.twilio.com",
    )
    api_key_sid: str = variable("TWILIO_API_KEY_SID", "API key (SK…), in place of the auth token")
    api_key_secret: str = variable("TWILIO_API_KEY_SECRET", "Secret of the API key", secret=True)

    def missing(self) -> list[str]:
        """Return the required variables that are not set; an API key takes the place of the auth token."""
        missing = super().missing()
        if self.api_key_sid and not self.api_key_secret:
            missing.append("TWILIO_API_KEY_SECRET")
        if not self.api_key_sid and not self.auth_token:
            missing.append("TWILIO_AUTH_TOKEN")
        return missing

    @property
    def credentials(self) -> tuple[str, str]:
        """The user and the password of HTTP Basic authentication."""
        if self.api_key_sid:
            return self.api_key_sid, self.api_key_secret
        return self.account_sid, self.auth_token

    def service_urls(self) -> list[str]:
        """Return the address of the API."""
        return [self.api_url]
