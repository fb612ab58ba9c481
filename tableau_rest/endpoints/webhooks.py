"""Webhooks at Tableau's side: list, create, change, test, delete. For administrators of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tableau_rest import models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import child
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.version import is_older
from tableau_rest.protocol.webhook_events import source_of
from tableau_rest.transport import Response

_ADMINISTRATORS = "403004 Forbidden: administrators only"


class Webhooks(Listing):
    """Webhooks. Whether a connected app may make them is not documented; a PAT of an administrator may."""

    @endpoint("GET webhooks", since="3.6", codes=_ADMINISTRATORS)
    def webhooks(self) -> Iterator[models.Webhook]:
        """All webhooks of the site, those of other people too."""
        return self._list("webhooks", ("webhooks", "webhook"), models.Webhook.from_json, page_size=100)

    @endpoint("GET webhooks/{id}", since="3.6", codes=_ADMINISTRATORS)
    def webhook(self, luid: str | HasLuid) -> models.Webhook:
        """One webhook."""
        return _webhook(self.request("GET", f"webhooks/{luid_of(luid)}"))

    @endpoint("POST webhooks", since="3.6", codes=_ADMINISTRATORS)
    def create_webhook(self, name: str, event: str, url: str) -> models.Webhook:
        """A new, enabled webhook that sends one event, as in "WorkbookRefreshFailed", to one https URL.

        Raises ValueError for an event or URL that cannot be.
        """
        return _webhook(self.request("POST", "webhooks", json=self._described(name, event, url)))

    @endpoint(
        "PUT webhooks/{id}", since="3.8", codes=f"400127 BadRequest: a reason although enabled, {_ADMINISTRATORS}"
    )
    def update_webhook(
        self,
        luid: str | HasLuid,
        *,
        name: str | None = None,
        event: str | None = None,
        url: str | None = None,
        is_enabled: bool | None = None,
        reason: str = "",
    ) -> models.Webhook:
        """Changes what is given and keeps the rest. `reason` says why it is switched off, and only then is allowed."""
        if reason and is_enabled is not False:
            raise ValueError("a reason belongs to a webhook that is switched off: is_enabled=False")
        old = self.webhook(luid)
        enabled = old.is_enabled if is_enabled is None else is_enabled
        body = self._described(name or old.name, event or old.event, url or old.url)
        body["webhook"] |= {"isEnabled": enabled} | ({"statusChangeReason": reason} if reason else {})
        return _webhook(self.request("PUT", f"webhooks/{luid_of(luid)}", json=body, repeat=True))

    @endpoint("DELETE webhooks/{id}", since="3.6", codes=_ADMINISTRATORS)
    def delete_webhook(self, luid: str | HasLuid) -> None:
        """Deletes a webhook for good."""
        self.request("DELETE", f"webhooks/{luid_of(luid)}")

    @endpoint("GET webhooks/{id}/test", since="3.6", codes=f"400113 NotFound, {_ADMINISTRATORS}")
    def test_webhook(self, luid: str | HasLuid) -> models.WebhookTest:
        """Has Tableau send a test to the webhook's URL; tells what the receiver answered, well or badly."""
        answer = self._answer("GET", f"webhooks/{luid_of(luid)}/test", repeat=False, fine=_has_result)
        return models.WebhookTest.from_json(child(responses.document(answer.body), "webhookTestResult"), answer.status)

    def _described(self, name: str, event: str, url: str) -> responses.Json:
        if not name.strip():
            raise ValueError("a webhook needs a name")
        if not re.fullmatch(r"[A-Z][A-Za-z]+", event):
            raise ValueError(f"not an event: {event!r} (expected is the form WorkbookRefreshFailed)")
        if urlsplit(url).scheme not in {"https", "http"} or not urlsplit(url).hostname:
            raise ValueError("a webhook needs a whole URL, https://…")
        target = {"webhook-destination": {"webhook-destination-http": {"method": "POST", "url": url}}}
        if is_older(self.version, "3.9"):  # before 2020.3 events went by the name of an element
            return {"webhook": {"name": name, "webhook-source": {source_of(event): {}}, **target}}
        return {"webhook": {"name": name, "event": event, "isEnabled": True, **target}}


def _has_result(answer: Response) -> bool:
    """A test that went badly may be told with 200 or with 400; the result is inside either way."""
    return answer.status < 300 or b"webhookTestResult" in answer.body


def _webhook(document: responses.Json) -> models.Webhook:
    return models.Webhook.from_json(child(document, "webhook"))
