"""Webhooks in Tableau: list, create, update, test, delete. For administrators of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from tableau_rest import errors, models
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.listing import Listing
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import child, integer, text
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.version import is_older
from tableau_rest.protocol.webhook_events import source_of

_ADMINISTRATORS = "403004 Forbidden: administrators only"


class Webhooks(Listing):
    """Webhooks. They need the personal access token of an administrator; no JWT scope is documented for them.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_notifications.htm
    """

    @endpoint("GET webhooks", since="3.6", codes=_ADMINISTRATORS)
    def webhooks(self) -> Iterator[models.Webhook]:
        """Iterate over all webhooks of the site, including those of other programs."""
        return self._list("webhooks", ("webhooks", "webhook"), models.Webhook, page_size=100)

    @endpoint("GET webhooks/{id}", since="3.6", codes=_ADMINISTRATORS)
    def webhook(self, luid: str | HasLuid) -> models.Webhook:
        """Return one webhook."""
        return self._get(models.Webhook, f"webhooks/{luid_of(luid)}", "webhook")

    @endpoint("POST webhooks", since="3.6", codes=_ADMINISTRATORS)
    def create_webhook(self, name: str, event: str, url: str) -> models.Webhook:
        """Create an enabled webhook that sends one event, such as "WorkbookRefreshFailed", to one https URL.

        Raises ValueError for an empty name, an event in another form, or an incomplete URL.
        """
        return self._read(
            models.Webhook, self.request("POST", "webhooks", json=self._body(name, event, url)), "webhook"
        )

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
        """Change the given fields of a webhook. A `reason` is possible only when it is disabled."""
        if reason and is_enabled is not False:
            raise ValueError("a reason is possible only with is_enabled=False")
        old = self.webhook(luid)
        enabled = old.is_enabled if is_enabled is None else is_enabled
        body = self._body(name or old.name, event or old.event, url or old.url)
        body["webhook"] |= {"isEnabled": enabled} | ({"statusChangeReason": reason} if reason else {})
        response = self.request("PUT", f"webhooks/{luid_of(luid)}", json=body, repeat=True)
        return self._read(models.Webhook, response, "webhook")

    @endpoint("DELETE webhooks/{id}", since="3.6", codes=_ADMINISTRATORS)
    def delete_webhook(self, luid: str | HasLuid) -> None:
        """Delete a webhook permanently."""
        self.request("DELETE", f"webhooks/{luid_of(luid)}")

    @endpoint("GET webhooks/{id}/test", since="3.6", codes=f"400113 NotFound, {_ADMINISTRATORS}")
    def test_webhook(self, luid: str | HasLuid) -> models.WebhookTest:
        """Let Tableau send a test request to the webhook's URL; return the receiver's response, also a failure."""
        # The result of a failed test may come with 200 or with 400.
        response = self._send(
            "GET",
            f"webhooks/{luid_of(luid)}/test",
            repeat=False,
            succeeded=lambda response: response.status < 300 or b"webhookTestResult" in response.body,
        )
        with self._redacted_errors():
            result = child(responses.document(response.body), "webhookTestResult")
            status = integer(result, "status")
            if status is None:
                raise errors.InvalidResponse("Tableau's response has no result of the webhook's test")
        return models.WebhookTest(text(result, "id"), status, text(result, "body"), response.status)

    def _body(self, name: str, event: str, url: str) -> responses.Json:
        if not name.strip():
            raise ValueError("a webhook needs a name")
        if not re.fullmatch(r"[A-Z][A-Za-z]+", event):
            raise ValueError(f"not an event: {event!r} (expected the form WorkbookRefreshFailed)")
        if urlsplit(url).scheme not in {"https", "http"} or not urlsplit(url).hostname:
            raise ValueError("a webhook needs a complete URL, https://…")
        target = {"webhook-destination": {"webhook-destination-http": {"method": "POST", "url": url}}}
        if is_older(self.version, "3.9"):  # before 2020.3 an event was given as an element
            return {"webhook": {"name": name, "webhook-source": {source_of(event): {}}, **target}}
        return {"webhook": {"name": name, "event": event, "isEnabled": True, **target}}
