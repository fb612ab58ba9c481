"""Mails that Tableau sends by itself: subscriptions and data-driven alerts.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_subscriptions.htm
"""

from simulator.tableau import shapes
from simulator.tableau.endpoints.content import paged
from simulator.tableau.route import Call, Result, route, thing
from simulator.tableau.wire import Answer, ApiError, flag, part, text
from simulator.world.site import DataAlert, Subscription

READ, WRITE = "tableau:subscriptions:read", "tableau:subscriptions:write"
ALERTS = "tableau:data_driven_alerts"
FIELDS = ("subject", "id")


def _subscription(call: Call, luid: str) -> Subscription:
    item: Subscription = thing(call.site.subscriptions, luid, "404021", "Subscription")
    return item


def _alert(call: Call, luid: str) -> DataAlert:
    item: DataAlert = thing(call.site.data_alerts, luid, "404022", "Data alert")
    return item


@route("/subscriptions", since="2.3", scope=READ)
def list_subscriptions(call: Call) -> Answer:
    """All subscriptions."""
    items = [shapes.subscription(call.site, item) for item in call.site.subscriptions.values()]
    return paged(call, items, FIELDS, ("subscriptions", "subscription"))


@route("/subscriptions/<luid>", since="2.3", scope=READ)
def get_subscription(call: Call, luid: str) -> Answer:
    """One subscription."""
    return {"subscription": shapes.subscription(call.site, _subscription(call, luid))}


@route("/subscriptions", "POST", since="2.3", scope=WRITE)
def create_subscription(call: Call) -> Result:
    """Have a view or workbook mailed to somebody."""
    wish = part(call.body(), "subscription")
    kind, content = text(part(wish, "content").get("type")).title(), text(part(wish, "content").get("id"))
    if kind not in {"View", "Workbook"}:
        raise ApiError("400000", "A subscription is to a View or a Workbook.")
    thing(call.site.content(kind.lower()), content, "404011" if kind == "View" else "404006", kind)
    user = text(part(wish, "user").get("id")) or call.user.luid
    thing(call.site.users, user, "404002", "User")
    schedule = text(part(wish, "schedule").get("id")) or call.world.luid()
    item = Subscription(call.world.luid(), text(wish.get("subject")), kind, content, user, schedule)
    item.attach_image = flag(wish.get("attachImage"), True)
    item.attach_pdf = flag(wish.get("attachPdf"), False)
    call.site.subscriptions[item.luid] = item
    return {"subscription": shapes.subscription(call.site, item)}, 201


@route("/subscriptions/<luid>", "PUT", since="2.3", scope=WRITE)
def update_subscription(call: Call, luid: str) -> Answer:
    """Change the subject or what is attached."""
    item, wish = _subscription(call, luid), part(call.body(), "subscription")
    item.subject = text(wish.get("subject")) or item.subject
    item.attach_image = flag(wish.get("attachImage"), item.attach_image)
    item.attach_pdf = flag(wish.get("attachPdf"), item.attach_pdf)
    return {"subscription": shapes.subscription(call.site, item)}


@route("/subscriptions/<luid>", "DELETE", since="2.3", scope=WRITE)
def delete_subscription(call: Call, luid: str) -> Result:
    """Stop mailing."""
    del call.site.subscriptions[_subscription(call, luid).luid]
    return {}, 204


@route("/dataAlerts", since="3.2", scope=f"{ALERTS}:read")
def list_alerts(call: Call) -> Answer:
    """All data-driven alerts."""
    items = [shapes.data_alert(call.site, item) for item in call.site.data_alerts.values()]
    return paged(call, items, FIELDS, ("dataAlerts", "dataAlert"))


@route("/dataAlerts/<luid>", since="3.2", scope=f"{ALERTS}:read")
def get_alert(call: Call, luid: str) -> Answer:
    """One alert."""
    return {"dataAlert": shapes.data_alert(call.site, _alert(call, luid))}


@route("/dataAlerts/<luid>", "PUT", since="3.2", scope=f"{ALERTS}:update")
def update_alert(call: Call, luid: str) -> Answer:
    """Change the subject, the frequency, who sees it, who owns it."""
    item, wish = _alert(call, luid), part(call.body(), "dataAlert")
    item.subject = text(wish.get("subject")) or item.subject
    item.frequency = text(wish.get("frequency")).title() or item.frequency
    item.public = flag(wish.get("public"), item.public)
    if owner := text(part(wish, "owner").get("id")):
        item.owner = thing(call.site.users, owner, "404002", "User").luid
    return {"dataAlert": shapes.data_alert(call.site, item)}


@route("/dataAlerts/<luid>", "DELETE", since="3.2", scope=f"{ALERTS}:delete")
def delete_alert(call: Call, luid: str) -> Result:
    """Take an alert away."""
    del call.site.data_alerts[_alert(call, luid).luid]
    return {}, 204


@route("/dataAlerts/<luid>/users", "POST", since="3.2", scope=f"{ALERTS}:update")
def add_to_alert(call: Call, luid: str) -> Answer:
    """Have somebody mailed too."""
    item, user = _alert(call, luid), text(part(call.body(), "user").get("id"))
    who = thing(call.site.users, user, "404002", "User")
    if user not in item.recipients:
        item.recipients.append(user)
    return {"user": shapes.user(who)}


@route("/dataAlerts/<luid>/users/<user>", "DELETE", since="3.2", scope=f"{ALERTS}:update")
def remove_from_alert(call: Call, luid: str, user: str) -> Result:
    """Have somebody mailed no longer."""
    item = _alert(call, luid)
    if user not in item.recipients:
        raise ApiError("404002", f"User {user!r} does not get this alert.")
    item.recipients.remove(user)
    return {}, 204
