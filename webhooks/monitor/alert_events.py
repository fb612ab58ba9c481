"""What the watch has to tell, as events of our own: kept, planned and retried like all others. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhooks.event import Event, build

ORIGIN = "watch"
"""What the payload's `origin` says of these events."""

WEBHOOKS = "OurWebhooksChanged"
CERTIFICATE = "OurCertificateEnds"
SILENCE = "NothingReceived"
BLIND = "WatchIsBlind"
CREDENTIAL = "CredentialEnds"
TITLES = {
    WEBHOOKS: "Our webhooks at Tableau's side are not as they should be",
    CERTIFICATE: "The certificate of our address needs a look",
    SILENCE: "Nothing has come from Tableau for longer than usual",
    BLIND: "Our webhooks cannot be looked at",
    CREDENTIAL: "The sign-in to Tableau needs a look",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell: its kind is an event type of our own, the text says what it is and what to do."""

    kind: str
    text: str

    def event(self, now: datetime) -> Event:
        at = f"{now:%Y-%m-%dT%H:%M:%S}Z"
        # The time has microseconds in the LUID's place: two notices of one second are two.
        return build(
            self.kind,
            origin=ORIGIN,
            resource="WEBHOOK",
            resource_name=TITLES[self.kind],
            resource_luid=f"watch-{now.timestamp():.6f}",
            created_at=at,
            text=self.text,
        )


def is_notice(event: Event) -> bool:
    """Whether this is something that the watch has to tell."""
    return event.event_type in TITLES and event.payload.get("origin") == ORIGIN
