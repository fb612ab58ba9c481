"""Subscriptions and data-driven alerts.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_subscriptions.htm
"""

from __future__ import annotations

from simulator.tableau import resources
from simulator.tableau.endpoints.content import paged
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_text, object_at
from simulator.world.site import DataAlert, Subscription

READ, WRITE = "tableau:subscriptions:read", "tableau:subscriptions:write"
ALERTS = "tableau:data_driven_alerts"
FIELDS = ("subject", "id")


def _subscription(call: ApiCall, luid: str) -> Subscription:
    item: Subscription = find(call.site.subscriptions, luid, "404021", "Subscription")
    return item


def _alert(call: ApiCall, luid: str) -> DataAlert:
    item: DataAlert = find(call.site.data_alerts, luid, "404022", "Data alert")
    return item


@route("/subscriptions", since="2.3", scope=READ)
def list_subscriptions(call: ApiCall) -> Document:
    """List all subscriptions."""
    items = [resources.subscription(call.site, item) for item in call.site.subscriptions.values()]
    return paged(call, items, FIELDS, ("subscriptions", "subscription"))


@route("/subscriptions/<luid>", since="2.3", scope=READ)
def get_subscription(call: ApiCall, luid: str) -> Document:
    """Return one subscription."""
    return {"subscription": resources.subscription(call.site, _subscription(call, luid))}


@route("/subscriptions", "POST", since="2.3", scope=WRITE)
def create_subscription(call: ApiCall) -> Result:
    """Subscribe a user to a view or workbook."""
    given = object_at(call.body(), "subscription")
    target = object_at(given, "content")
    kind, content = as_text(target.get("type")).title(), as_text(target.get("id"))
    if kind not in {"View", "Workbook"}:
        raise ApiError("400000", "A subscription needs a View or a Workbook.")
    find(call.site.content(kind.lower()), content, "404011" if kind == "View" else "404006", kind)
    user = as_text(object_at(given, "user").get("id")) or call.user.luid
    find(call.site.users, user, "404002", "User")
    schedule = as_text(object_at(given, "schedule").get("id")) or call.world.luid()
    item = Subscription(call.world.luid(), as_text(given.get("subject")), kind, content, user, schedule)
    item.attach_image = as_bool(given.get("attachImage"), True)
    item.attach_pdf = as_bool(given.get("attachPdf"), False)
    call.site.subscriptions[item.luid] = item
    return {"subscription": resources.subscription(call.site, item)}, 201


@route("/subscriptions/<luid>", "PUT", since="2.3", scope=WRITE)
def update_subscription(call: ApiCall, luid: str) -> Document:
    """Update the subject or the attachments."""
    item, given = _subscription(call, luid), object_at(call.body(), "subscription")
    item.subject = as_text(given.get("subject")) or item.subject
    item.attach_image = as_bool(given.get("attachImage"), item.attach_image)
    item.attach_pdf = as_bool(given.get("attachPdf"), item.attach_pdf)
    return {"subscription": resources.subscription(call.site, item)}


@route("/subscriptions/<luid>", "DELETE", since="2.3", scope=WRITE)
def delete_subscription(call: ApiCall, luid: str) -> Result:
    """Delete a subscription."""
    del call.site.subscriptions[_subscription(call, luid).luid]
    return {}, 204


@route("/dataAlerts", since="3.2", scope=f"{ALERTS}:read")
def list_alerts(call: ApiCall) -> Document:
    """List all data alerts."""
    items = [resources.data_alert(call.site, item) for item in call.site.data_alerts.values()]
    return paged(call, items, FIELDS, ("dataAlerts", "dataAlert"))


@route("/dataAlerts/<luid>", since="3.2", scope=f"{ALERTS}:read")
def get_alert(call: ApiCall, luid: str) -> Document:
    """Return one data alert."""
    return {"dataAlert": resources.data_alert(call.site, _alert(call, luid))}


@route("/dataAlerts/<luid>", "PUT", since="3.2", scope=f"{ALERTS}:update")
def update_alert(call: ApiCall, luid: str) -> Document:
    """Update subject, frequency, visibility and owner."""
    item, given = _alert(call, luid), object_at(call.body(), "dataAlert")
    item.subject = as_text(given.get("subject")) or item.subject
    item.frequency = as_text(given.get("frequency")).title() or item.frequency
    item.public = as_bool(given.get("public"), item.public)
    if owner := as_text(object_at(given, "owner").get("id")):
        item.owner = find(call.site.users, owner, "404002", "User").luid
    return {"dataAlert": resources.data_alert(call.site, item)}


@route("/dataAlerts/<luid>", "DELETE", since="3.2", scope=f"{ALERTS}:delete")
def delete_alert(call: ApiCall, luid: str) -> Result:
    """Delete a data alert."""
    del call.site.data_alerts[_alert(call, luid).luid]
    return {}, 204


@route("/dataAlerts/<luid>/users", "POST", since="3.2", scope=f"{ALERTS}:update")
def add_to_alert(call: ApiCall, luid: str) -> Document:
    """Add a recipient."""
    item, user = _alert(call, luid), as_text(object_at(call.body(), "user").get("id"))
    recipient = find(call.site.users, user, "404002", "User")
    if user not in item.recipients:
        item.recipients.append(user)
    return {"user": resources.user(recipient)}


@route("/dataAlerts/<luid>/users/<user>", "DELETE", since="3.2", scope=f"{ALERTS}:update")
def remove_from_alert(call: ApiCall, luid: str, user: str) -> Result:
    """Remove a recipient."""
    item = _alert(call, luid)
    if user not in item.recipients:
        raise ApiError("404002", f"User {user!r} is not a recipient of this alert.")
    item.recipients.remove(user)
    return {}, 204
