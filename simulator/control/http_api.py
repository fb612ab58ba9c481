"""The simulator's own HTTP API: cause events, inspect what was sent and received, inject faults.

POST   /simulator/events      {"event_type": "WorkbookRefreshFailed", "name": "Sales", "reason": "…"}: cause an event,
                              with "site": "branch" on the site with that content URL. FlowRunFailed, FlowRunSucceeded,
                              SubscriptionFailed and BridgeRefreshFailed have no webhook: the list of jobs shows them
GET    /simulator/site        the contents of the site with their LUIDs: projects, workbooks, users, webhooks …
POST   /simulator/refreshes   {"name": "Sales", "fail": 2, "reason": "…"}: its next refreshes fail; -1: all
POST   /simulator/schedules   {"name": "Sales", "late": 45}: its scheduled refresh is due since 45 minutes and does not
                              start, until it is refreshed; {"name": "Sales", "running": 240}: a refresh has been
                              running for 240 minutes, until its success or failure is caused
GET    /simulator/messages    the messages that Slack and Twilio received, newest last, and the shared files; the
                              messages of Slack with all their versions; those of Teams, PagerDuty and others
POST   /simulator/slack/messages  {"channel": "#bi", "user": "ben@acme.example", "text": "…"}: a person writes
POST   /simulator/slack/press {"channel": "#bi", "ts": "…", "button": "ack", "user": "ben@acme.example"}: press a
                              button by its action_id or text, or choose an entry of a menu by its text; returns the
                              response of the app
POST   /simulator/slack/sockets  {"cut": true}: end the connections of Socket Mode without a word; {}: announce it, as
                              Slack does every few hours; returns how many there are
POST   /simulator/sms/replies {"from": "+15550100", "body": "1"}: a person writes to the account's number; returns the
                              response of the server
POST   /simulator/pagerduty   {"key": "…", "act": "acknowledge", "person": "Ann Okafor"}: a person acknowledges or
                              resolves an alert, by its key or its summary; returns the response of the server
GET    /simulator/files/<id>  the bytes of a file that Slack received
GET    /simulator/deliveries  the webhooks sent, with every attempt. ?state=waiting|delivered|given up &event_type=
GET    /simulator/calls       the calls of the APIs of Tableau, Slack and Twilio. ?target= &path= &limit=
GET    /simulator/sessions    the live sessions, and the number of sign-ins
POST   /simulator/sessions/expire  {"credential": "pat:webhooks"}, or {} for all: expire sessions
GET    /simulator/faults      the faults that are on, and the kinds of faults
POST   /simulator/faults      {"kind": "delay", "target": "slack", "path": "chat.postMessage", "seconds": 2, "times": 3}
DELETE /simulator/faults[/<id>]  switch off one fault, or all
GET    /simulator/settings    the settings; POST changes them: {"duplicates": 0.5, "retry_waits": [0.1, 0.1, 0.1]}
POST   /simulator/settle      {"seconds": 5}: wait until no delivery or refresh is running; {"settled": true}
POST   /simulator/reset       restore the initial state
GET    /simulator/healthz     respond with 200
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from simulator.config import changeable_settings
from simulator.control.reports import (
    call_report,
    delivery_report,
    message_report,
    sms_report,
    taken_report,
    versions_report,
)
from simulator.receivers import pagerduty_webhook
from simulator.slack.files import mimetype
from simulator.slack.interactions import Target, find_member, press
from simulator.slack.workspace import Channel, SlackError
from simulator.slack.workspace import Content as SlackContent
from simulator.twilio.replies import reply
from simulator.world.current import current_world
from simulator.world.events import EVENT_TYPES, EventRequest, Impossible, simulate_event
from simulator.world.faults import KINDS
from simulator.world.refresh import run_since, running
from simulator.world.schedule import delay
from simulator.world.world import World

# Minutes by which a scheduled refresh can be late.
MAX_LATE = 300
CONTENT_KINDS = ("workbook", "datasource", "flow")
control = Blueprint("control", __name__, url_prefix="/simulator")
Content = dict[str, Any]
Result = Content | tuple[Content, int]


class InvalidRequest(ValueError):
    """A request that cannot be understood."""


@control.before_request
def require_same_origin() -> Result | None:
    """Refuse requests that a page of another origin makes in a browser."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.host:
        return {"error": f"Requests from {origin} are not allowed"}, 403
    return None


@control.errorhandler(ValueError)
def handle_error(error: ValueError) -> Result:
    """Return the error as JSON: 409 if the event is impossible, else 400."""
    return {"error": str(error)}, 409 if isinstance(error, Impossible) else 400


def _body() -> Content:
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body must be JSON") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object")
    return body


@control.get("/healthz")
def healthz() -> Result:
    """Respond with 200."""
    return {"status": "ok"}


@control.post("/events")
def cause_event() -> Result:
    """Cause an event."""
    body, world = _body(), current_world()
    content_url = body.pop("site", None)
    known = EventRequest.__dataclass_fields__
    if unknown := set(body) - set(known):
        raise InvalidRequest(f"Unknown fields: {', '.join(sorted(unknown))}. An event can have: {', '.join(known)}")
    if "event_type" not in body:
        raise InvalidRequest(f"event_type is missing. Choose one of: {', '.join(EVENT_TYPES)}")
    if wrong := [name for name, value in body.items() if not isinstance(value, str)]:
        raise InvalidRequest(f"{', '.join(wrong)} must be text")
    with world.lock:
        site = world.home if content_url is None else world.site_at(str(content_url))
        if site is None:
            known_sites = ", ".join(repr(site.content_url) for site in world.sites.values())
            raise InvalidRequest(f"Unknown site {content_url!r}. Choose one of: {known_sites}")
        before = world.sender.count
        fields = simulate_event(world, site, EventRequest(**body))
        return {"event": fields, "deliveries": world.sender.count - before}


@control.post("/refreshes")
def set_refresh_outcome() -> Result:
    """Set how the next refreshes of content end."""
    body, world = _body(), current_world()
    wanted, count = str(body.get("luid") or body.get("name") or ""), body.get("fail", 1)
    if not isinstance(count, int):
        raise InvalidRequest(f"fail must be a whole number, not {count!r}")
    with world.lock:
        items = [item for kind in CONTENT_KINDS for item in world.home.content(kind).values()]
        item = next((item for item in items if wanted in (item.luid, item.name)), None)
        if item is None:
            raise InvalidRequest(f"Not found: {wanted!r}")
        reason = str(body.get("reason") or "")
        item.failing = (reason or "Simulated failure") if count < 0 else ""
        item.fail_next, item.fail_reason = max(0, count), reason
        return {"luid": item.luid, "name": item.name, "fail": count}


@control.post("/schedules")
def delay_schedule() -> Result:
    """Let the scheduled refresh of content be late by some minutes, or one run since some, until it is refreshed."""
    body, world = _body(), current_world()
    wanted, key = str(body.get("luid") or body.get("name") or ""), "running" if "running" in body else "late"
    minutes = body.get(key, 60)
    if not isinstance(minutes, int | float) or not 0 < minutes <= MAX_LATE:
        raise InvalidRequest(f"{key} must be a number of minutes up to {MAX_LATE}, not {minutes!r}")
    with world.lock:
        contents = [(kind, one) for kind in CONTENT_KINDS for one in world.home.content(kind).values()]
        kind, item = next((one for one in contents if wanted in (one[1].luid, one[1].name)), ("", None))
        if item is None or (key == "late" and not delay(world, world.home, item.luid, minutes)):
            raise InvalidRequest(f"No content with a schedule: {wanted!r}")
        if key == "running":
            if running(world.home, item.luid):
                raise InvalidRequest(f"A refresh of {wanted!r} is running already")
            run_since(world, world.home, kind, item, minutes)
        return {"luid": item.luid, "name": item.name, key: minutes}


@control.get("/site")
def site() -> Result:
    """Return the names and LUIDs of the site's contents."""
    world = current_world()
    with world.lock:
        home = world.home
        names = ("projects", "workbooks", "datasources", "views", "flows", "users", "webhooks")
        contents = {
            name: [{"luid": luid, "name": item.name} for luid, item in getattr(home, name).items()] for name in names
        }
        contents["subscriptions"] = [{"luid": luid, "name": item.subject} for luid, item in home.subscriptions.items()]
        return {"luid": home.luid, "name": home.name, "content_url": home.content_url} | contents


@control.get("/messages")
def messages() -> Result:
    """Return the messages that Slack and Twilio received."""
    world = current_world()
    with world.lock:
        files = [
            {"id": file.id, "name": file.name, "title": file.title, "size": file.size}
            for file in world.slack.files.values()
        ]
        sent = [
            message_report(world, message) | {"versions": versions_report(message)} for message in world.slack.messages
        ]
        return {
            "slack": sent,
            "sms": [sms_report(world, sms) for sms in world.twilio.messages],
            "files": files,
            "others": [taken_report(message) for message in world.taking.messages],
            "alerts": [asdict(alert) for alert in world.taking.alerts],
        }


@control.post("/slack/messages")
def write_message() -> Result:
    """Post a message of a person, which no app can update."""
    body, world = _body(), current_world()
    with world.lock:
        member = find_member(world, str(body.get("user") or ""))
        channel = _slack_channel(world, body)
        message = world.slack.new_message(channel.id, SlackContent(str(body.get("text") or "")))
        message.user, message.thread_ts = member.id, str(body.get("thread_ts") or "")
        try:
            world.slack.post(channel, message)
        except SlackError as error:
            raise InvalidRequest(error.name) from error
        world.changed()
        return message_report(world, message)


@control.post("/slack/press")
def press_button() -> Result:
    """Press a button of a message, and return the response of the app."""
    body, world = _body(), current_world()
    with world.lock:
        member = find_member(world, str(body.get("user") or ""))
        channel = _slack_channel(world, body)
        message = world.slack.message(channel.id, str(body.get("ts") or ""))
    if message is None:
        raise InvalidRequest(f"Unknown message {body.get('ts')!r} in #{channel.name}")
    pressed = press(
        world,
        message,
        member,
        Target(str(body.get("button") or ""), str(body.get("block_id") or "")),
        base_url=request.host_url,
        show_error=body.get("show_error", True) is not False,
    )
    return asdict(pressed)


@control.post("/slack/sockets")
def end_sockets() -> Result:
    """End the connections of Socket Mode."""
    body, sockets = _body(), current_world().slack.sockets
    count = sockets.count
    if body.get("cut"):
        sockets.cut()
    else:
        sockets.disconnect()
    return {"connections": count}


@control.post("/sms/replies")
def reply_by_sms() -> Result:
    """Send a text message from a person's phone, and return the response of the server."""
    body = _body()
    number = str(body.get("from") or "")
    if not number:
        raise InvalidRequest("from is missing: the number of the person's phone")
    opt_out = str(body.get("opt_out") or "")
    return asdict(reply(current_world(), number, str(body.get("body") or ""), opt_out=opt_out))


@control.post("/pagerduty")
def act_on_alert() -> Result:
    """Let a person acknowledge or resolve an alert, and return the response of the server."""
    body = _body()
    wanted, person = str(body.get("key") or ""), str(body.get("person") or "Ann Okafor")
    return asdict(pagerduty_webhook.act(current_world(), wanted, str(body.get("act") or "acknowledge"), person))


def _slack_channel(world: World, body: Content) -> Channel:
    try:
        return world.slack.find(str(body.get("channel") or ""))
    except SlackError as error:
        raise InvalidRequest(f"Unknown channel {body.get('channel')!r}") from error


@control.get("/files/<luid>")
def file(luid: str) -> Response:
    """Return the bytes of a file."""
    known = current_world().slack.files.get(luid)
    if known is None or known.data is None:
        return Response("no such file\n", 404, mimetype="text/plain")
    # An uploaded file must not run as a page of this origin.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Response(known.data, mimetype=mimetype(known), headers=headers)


@control.get("/deliveries")
def deliveries() -> Result:
    """Return the webhooks sent."""
    world, query = current_world(), request.args
    with world.lock:
        found = [
            delivery_report(delivery)
            for delivery in world.sender.log
            if query.get("state", delivery.state) == delivery.state
            and query.get("event_type", delivery.event_type) == delivery.event_type
        ]
    return {"deliveries": found}


@control.get("/calls")
def calls() -> Result:
    """Return the calls of the vendors' APIs."""
    world, query = current_world(), request.args
    limit = query.get("limit", "200")
    if not limit.isascii() or not limit.isdigit() or int(limit) < 1:
        raise InvalidRequest(f"limit must be a whole number of at least 1, not {limit!r}")
    with world.lock:
        found = [
            call_report(call)
            for call in world.calls.log
            if query.get("target", call.target) == call.target and query.get("path", "") in call.path
        ]
        totals = {
            "total": world.calls.total,
            "sign_ins": world.sessions.sign_ins.total(),
            "counts": dict(world.calls.counts),
        }
    return totals | {"calls": found[-int(limit) :]}


@control.get("/sessions")
def sessions() -> Result:
    """Return the live sessions without their tokens."""
    world = current_world()
    with world.lock:
        live = [
            {
                "credential": session.credential,
                "site": session.site,
                "expires_at": session.expires_at.isoformat(),
            }
            for session in world.sessions.live()
        ]
        return {"live": live, "sign_ins": dict(world.sessions.sign_ins), "total": world.sessions.sign_ins.total()}


@control.post("/sessions/expire")
def expire() -> Result:
    """Expire sessions."""
    world, credential = current_world(), _body().get("credential")
    with world.lock:
        return {"ended": world.sessions.end(str(credential) if credential else None)}


@control.get("/faults")
def faults() -> Result:
    """Return the faults that are on, and the kinds of faults."""
    return {"on": [asdict(fault) for fault in current_world().faults.on()], "kinds": KINDS}


@control.post("/faults")
def add_fault() -> Result:
    """Switch a fault on."""
    world = current_world()
    fault = world.faults.add(_body())
    world.changed()
    return {"fault": asdict(fault)}, 201


@control.delete("/faults")
@control.delete("/faults/<int:number>")
def remove_faults(number: int | None = None) -> Result:
    """Switch one fault off, or all."""
    world = current_world()
    removed = world.faults.remove(number)
    world.changed()
    return {"removed": removed}


@control.get("/settings")
def settings() -> Result:
    """Return the settings."""
    config = current_world().config
    return {name: getattr(config, name) for name in changeable_settings()}


@control.post("/settings")
def change_settings() -> Result:
    """Change settings."""
    current_world().set(_body())
    return settings()


@control.post("/settle")
def settle() -> Result:
    """Wait until no delivery or refresh is running."""
    try:
        seconds = min(60.0, float(_body().get("seconds", 10)))
    except (TypeError, ValueError) as error:
        raise InvalidRequest("seconds must be a number") from error
    return {"settled": current_world().timer.settle(seconds)}


@control.post("/reset")
def reset() -> Result:
    """Restore the initial state."""
    current_world().reset()
    return {"status": "ok"}
