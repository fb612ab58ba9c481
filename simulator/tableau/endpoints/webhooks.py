"""Webhooks of a site: create, get, update, delete, test. Administrators only.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_notifications.htm
"""

from __future__ import annotations

import re

from simulator.tableau import resources
from simulator.tableau.endpoints.content import paged
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_text, object_at, respond
from simulator.world.delivery import post
from simulator.world.payload import EVENTS, SOURCES
from simulator.world.site import Webhook

ADDRESS = re.compile(r"https?://[^\s/?#]+\S*$", re.IGNORECASE)
BY_USER = "Webhook disabled by user"
FIELDS = ("name", "event", "isEnabled", "createdAt", "updatedAt", "id")


def _document(call: ApiCall, item: Webhook) -> Document:
    return resources.webhook(call.site, item, SOURCES[item.event])


def _webhook(call: ApiCall, luid: str) -> Webhook:
    item: Webhook = find(call.site.webhooks, luid, "404002", "Webhook")
    return item


@route("/webhooks", since="3.6", admin=True)
def list_webhooks(call: ApiCall) -> Document:
    """List all webhooks of the site, of all users."""
    return paged(call, [_document(call, item) for item in call.site.webhooks.values()], FIELDS, ("webhooks", "webhook"))


@route("/webhooks", "POST", since="3.6", admin=True)
def create_webhook(call: ApiCall) -> Result:
    """Create a webhook."""
    now, given = call.world.now(), object_at(call.body(), "webhook")
    item = Webhook(call.world.luid(), "", "", "", call.user.luid, now, now)
    _update(item, given)
    if not (item.name and item.event and item.url):
        raise ApiError("400000", "A webhook needs a name, an event and a destination.")
    call.site.webhooks[item.luid] = item
    call.world.changed()
    location = f"/api/{call.version}/sites/{call.site.luid}/webhooks/{item.luid}"
    return respond({"webhook": _document(call, item)}, 201, {"Location": location})


@route("/webhooks/<luid>", since="3.6", admin=True)
def get_webhook(call: ApiCall, luid: str) -> Document:
    """Return one webhook."""
    return {"webhook": _document(call, _webhook(call, luid))}


@route("/webhooks/<luid>", "PUT", since="3.6", admin=True)
def update_webhook(call: ApiCall, luid: str) -> Result:
    """Update, enable or disable a webhook."""
    item = _webhook(call, luid)
    _update(item, object_at(call.body(), "webhook"))
    item.updated_at = call.world.now()
    call.world.changed()
    return {"webhook": _document(call, item)}, 201


def _update(item: Webhook, given: Document) -> None:
    event, destination = _event(given), object_at(given, "webhook-destination", "webhook-destination-http")
    url = as_text(destination.get("url"))
    if destination and (as_text(destination.get("method")) or "POST").upper() != "POST":
        raise ApiError("400000", "The method of a webhook's destination must be POST.")
    if url and not ADDRESS.match(url):
        raise ApiError("400000", f"{url!r} is not a valid URL.")
    enabled, reason = as_bool(given.get("isEnabled"), item.is_enabled), as_text(given.get("statusChangeReason"))
    if enabled and reason:
        raise ApiError("400127", "A status change reason is given only with isEnabled false.")
    item.is_enabled = enabled
    item.status_change_reason = "" if enabled else reason or item.status_change_reason or BY_USER
    item.given_up = 0
    item.name, item.event, item.url = as_text(given.get("name")) or item.name, event or item.event, url or item.url


def _event(given: Document) -> str:
    """Return the requested event, by its name or by the older element, which must agree if both are given."""
    named, sources = as_text(given.get("event")), list(object_at(given, "webhook-source"))
    if named and named not in SOURCES:
        raise ApiError("400000", f"{named!r} is not an event.")
    if sources and sources[0] not in EVENTS:
        raise ApiError("400000", f"{sources[0]!r} is not a webhook source.")
    older = EVENTS[sources[0]] if sources else ""
    if named and older and named != older:
        raise ApiError("400000", f"The event {named!r} and the source {sources[0]!r} do not agree.")
    return named or older


@route("/webhooks/<luid>", "DELETE", since="3.6", admin=True)
def delete_webhook(call: ApiCall, luid: str) -> Result:
    """Delete a webhook."""
    _webhook(call, luid)
    del call.site.webhooks[luid]
    call.world.changed()
    return {}, 204


@route("/webhooks/<luid>/test", since="3.6", admin=True, locked=False)
def test_webhook(call: ApiCall, luid: str) -> Document:
    """Send an empty body to the webhook's address and return the response; 408 means that there was none."""
    with call.world.lock:
        item = call.site.webhooks.get(luid)
    if item is None:
        raise ApiError("400113", f"Webhook {luid!r} could not be found.")
    attempt = post(item.url, b"", call.world.config)
    status = attempt.status if attempt.status is not None else 408
    return {"webhookTestResult": {"id": luid, "status": status, "body": attempt.response or attempt.error}}
