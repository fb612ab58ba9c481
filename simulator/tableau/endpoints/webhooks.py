"""Webhooks of a site: create, look at, change, delete, test. Only administrators may.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_notifications.htm
"""

import re

from simulator.tableau import resources
from simulator.tableau.endpoints.content import paged
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_text, object_at, respond
from simulator.world.delivery import post
from simulator.world.payload import EVENTS, SOURCES
from simulator.world.site import Webhook

READ, WRITE = "tableau:webhooks:read", "tableau:webhooks:write"
ADDRESS = re.compile(r"https?://[^\s/?#]+\S*$", re.IGNORECASE)
BY_USER = "Webhook disabled by user"
FIELDS = ("name", "event", "isEnabled", "createdAt", "updatedAt", "id")


def _described(call: ApiCall, item: Webhook) -> Document:
    return resources.webhook(call.site, item, SOURCES[item.event])


def _found(call: ApiCall, luid: str) -> Webhook:
    item: Webhook = find(call.site.webhooks, luid, "404002", "Webhook")
    return item


@route("/webhooks", since="3.6", scope=READ, admin=True)
def list_webhooks(call: ApiCall) -> Document:
    """All webhooks of the site, everybody's."""
    return paged(
        call, [_described(call, item) for item in call.site.webhooks.values()], FIELDS, ("webhooks", "webhook")
    )


@route("/webhooks", "POST", since="3.6", scope=WRITE, admin=True)
def create_webhook(call: ApiCall) -> Result:
    """Register an address for an event."""
    now, wish = call.world.now(), object_at(call.body(), "webhook")
    item = Webhook(call.world.luid(), "", "", "", call.user.luid, now, now)
    _change(item, wish)
    if not (item.name and item.event and item.url):
        raise ApiError("400000", "A webhook needs a name, an event and a destination.")
    call.site.webhooks[item.luid] = item
    call.world.changed()
    location = f"/api/{call.version}/sites/{call.site.luid}/webhooks/{item.luid}"
    return respond({"webhook": _described(call, item)}, 201, {"Location": location})


@route("/webhooks/<luid>", since="3.6", scope=READ, admin=True)
def get_webhook(call: ApiCall, luid: str) -> Document:
    """One webhook."""
    return {"webhook": _described(call, _found(call, luid))}


@route("/webhooks/<luid>", "PUT", since="3.6", scope=WRITE, admin=True)
def update_webhook(call: ApiCall, luid: str) -> Result:
    """Change a webhook, switch it off or on."""
    item = _found(call, luid)
    _change(item, object_at(call.body(), "webhook"))
    item.updated_at = call.world.now()
    call.world.changed()
    return {"webhook": _described(call, item)}, 201


def _change(item: Webhook, wish: Document) -> None:
    event, destination = _event(wish), object_at(wish, "webhook-destination", "webhook-destination-http")
    url = as_text(destination.get("url"))
    if destination and (as_text(destination.get("method")) or "POST").upper() != "POST":
        raise ApiError("400000", "The method of a webhook's destination must be POST.")
    if url and not ADDRESS.match(url):
        raise ApiError("400000", f"{url!r} is not an address to send to.")
    enabled, reason = as_bool(wish.get("isEnabled"), item.is_enabled), as_text(wish.get("statusChangeReason"))
    if enabled and reason:
        raise ApiError("400127", "A status change reason is given only with isEnabled false.")
    item.is_enabled = enabled
    item.status_change_reason = "" if enabled else reason or item.status_change_reason or BY_USER
    item.given_up = 0
    item.name, item.event, item.url = as_text(wish.get("name")) or item.name, event or item.event, url or item.url


def _event(wish: Document) -> str:
    """The event wished for, by its name or by the older element; where both come they must agree."""
    named, sources = as_text(wish.get("event")), list(object_at(wish, "webhook-source"))
    if named and named not in SOURCES:
        raise ApiError("400000", f"{named!r} is not an event.")
    if sources and sources[0] not in EVENTS:
        raise ApiError("400000", f"{sources[0]!r} is not a webhook source.")
    older = EVENTS[sources[0]] if sources else ""
    if named and older and named != older:
        raise ApiError("400000", f"The event {named!r} and the source {sources[0]!r} do not agree.")
    return named or older


@route("/webhooks/<luid>", "DELETE", since="3.6", scope=WRITE, admin=True)
def delete_webhook(call: ApiCall, luid: str) -> Result:
    """Take a webhook off the site."""
    _found(call, luid)
    del call.site.webhooks[luid]
    call.world.changed()
    return {}, 204


@route("/webhooks/<luid>/test", since="3.6", scope=READ, admin=True, locked=False)
def test_webhook(call: ApiCall, luid: str) -> Document:
    """Send an empty body to the webhook's address and hand back what it said; 408 stands for no answer."""
    with call.world.lock:
        item = call.site.webhooks.get(luid)
    if item is None:
        raise ApiError("400113", f"Webhook {luid!r} could not be found.")
    tried = post(item.url, b"", call.world.config)
    status = tried.status if tried.status is not None else 408
    return {"webhookTestResult": {"id": luid, "status": status, "body": tried.response or tried.error}}
