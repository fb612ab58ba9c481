"""The control of a simulator over HTTP: make things happen, see what was sent and received, switch faults.

POST   /simulator/events      {"event_type": "WorkbookRefreshFailed", "name": "Sales", "reason": "…"}: it happens,
                              with "site": "branch" on the site of that content URL
GET    /simulator/site        what is on the site, with LUIDs: projects, workbooks, data sources, views, users, webhooks
POST   /simulator/refreshes   {"name": "Sales", "fail": 2, "reason": "…"}: its next refreshes fail; -1: all
GET    /simulator/messages    what Slack and Twilio received, newest last, with the files shared
GET    /simulator/files/<id>  the bytes of a file Slack received
GET    /simulator/deliveries  the webhooks sent, with every attempt. ?state=waiting|delivered|given up &event_type=
GET    /simulator/calls       the calls of Tableau's, Slack's and Twilio's APIs, and counts. ?target= &path= &limit=
GET    /simulator/sessions    who is signed in, and how often there was a sign-in
POST   /simulator/sessions/expire  {"credential": "pat:webhooks"}, or nothing for all: as if their time were over
GET    /simulator/faults      what is on, and which kinds there are
POST   /simulator/faults      {"kind": "delay", "target": "slack", "path": "chat.postMessage", "seconds": 2, "times": 3}
DELETE /simulator/faults[/<id>]  switch off all, or one
GET    /simulator/settings    the manners; POST changes them: {"duplicates": 0.5, "retry_waits": [0.1, 0.1, 0.1]}
POST   /simulator/settle      {"seconds": 5}: wait until no delivery or refresh is under way; {"settled": true}
POST   /simulator/reset       begin anew
GET    /simulator/healthz     alive
"""

import json
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, request

from simulator.config import changeable_settings
from simulator.control.reports import call_report, delivery_report, message_report, sms_report
from simulator.slack.files import mimetype
from simulator.world.current import current_world
from simulator.world.events import EventRequest, Impossible, simulate_event
from simulator.world.faults import KINDS
from simulator.world.payload import RESOURCES
from simulator.world.site import Site
from simulator.world.world import World

control = Blueprint("control", __name__, url_prefix="/simulator")
Answer = dict[str, Any]
Result = Answer | tuple[Answer, int]


class Unclear(ValueError):
    """A request to the control that cannot be understood."""


@control.before_request
def same_origin() -> Result | None:
    """A page from elsewhere, open in somebody's browser, may not pull strings here."""
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.host:
        return {"error": f"{origin} may not do this"}, 403
    return None


@control.errorhandler(ValueError)
def unclear(error: ValueError) -> Result:
    """What cannot be understood, or cannot happen, is said in a sentence."""
    return {"error": str(error)}, 409 if isinstance(error, Impossible) else 400


def _body() -> Answer:
    try:
        body = json.loads(request.get_data() or b"{}")
    except (ValueError, RecursionError) as error:
        raise Unclear("the body must be JSON") from error
    if not isinstance(body, dict):
        raise Unclear("the body must be a JSON object")
    return body


@control.get("/healthz")
def healthz() -> Result:
    """Alive."""
    return {"status": "ok"}


@control.post("/events")
def events() -> Result:
    """Make something happen."""
    body, world = _body(), current_world()
    where = body.pop("site", None)
    known = EventRequest.__dataclass_fields__
    if unknown := set(body) - set(known):
        raise Unclear(f"unknown {', '.join(sorted(unknown))}; an event takes {', '.join(known)}")
    if "event_type" not in body:
        raise Unclear(f"event_type is missing; there are {', '.join(RESOURCES)}")
    if odd := [name for name, value in body.items() if not isinstance(value, str)]:
        raise Unclear(f"{', '.join(odd)} must be text")
    wish = EventRequest(**body)
    with world.lock:
        before = world.sender.count
        fields = simulate_event(world, _site(world, where), wish)
        return {"event": fields, "deliveries": world.sender.count - before}


def _site(world: World, content_url: object) -> Site:
    """The site of that content URL; the company's own where none is given."""
    found = world.home if content_url is None else world.site_at(str(content_url))
    if found is None:
        there = ", ".join(repr(site.content_url) for site in world.sites.values())
        raise Unclear(f"there is no site {content_url!r}; there are {there}")
    return found


@control.post("/refreshes")
def refreshes() -> Result:
    """Decide how the next refreshes of some content end."""
    body, world = _body(), current_world()
    wanted, count = str(body.get("luid") or body.get("name") or ""), body.get("fail", 1)
    if not isinstance(count, int):
        raise Unclear(f"fail must be a whole number, not {count!r}")
    with world.lock:
        for kind in ("workbook", "datasource", "flow"):
            for item in world.home.content(kind).values():
                if wanted in (item.luid, item.name):
                    reason = str(body.get("reason") or "")
                    item.failing = (reason or "Simulated failure") if count < 0 else ""
                    item.fail_next, item.fail_reason = max(0, count), reason
                    return {"luid": item.luid, "name": item.name, "fail": count}
    raise Unclear(f"nothing here is called {wanted!r}")


@control.get("/site")
def site() -> Result:
    """What is on the site, in short."""
    world = current_world()
    with world.lock:
        home = world.home
        short = ("projects", "workbooks", "datasources", "views", "flows", "users", "webhooks")
        listed = {
            name: [{"luid": luid, "name": item.name} for luid, item in getattr(home, name).items()] for name in short
        }
        return {"luid": home.luid, "name": home.name, "content_url": home.content_url} | listed


@control.get("/messages")
def messages() -> Result:
    """What Slack and Twilio received."""
    world = current_world()
    with world.lock:
        files = [
            {"id": file.id, "name": file.name, "title": file.title, "size": file.size}
            for file in world.slack.files.values()
        ]
        sent = [message_report(world, message) for message in world.slack.messages]
        return {"slack": sent, "sms": [sms_report(world, sms) for sms in world.twilio.messages], "files": files}


@control.get("/files/<luid>")
def file(luid: str) -> Response:
    """The bytes of a file."""
    known = current_world().slack.files.get(luid)
    if known is None or known.data is None:
        return Response("no such file\n", 404, mimetype="text/plain")
    # What was uploaded is not ours: it is never run as a page of this origin.
    headers = {"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox"}
    return Response(known.data, mimetype=mimetype(known), headers=headers)


@control.get("/deliveries")
def deliveries() -> Result:
    """The webhooks sent."""
    world = current_world()
    with world.lock:
        shown = [
            delivery_report(delivery)
            for delivery in world.sender.log
            if request.args.get("state", delivery.state) == delivery.state
            and request.args.get("event_type", delivery.event_type) == delivery.event_type
        ]
    return {"deliveries": shown}


@control.get("/calls")
def calls() -> Result:
    """The calls of the vendors' APIs."""
    world, query = current_world(), request.args
    with world.lock:
        chosen = [
            call_report(call)
            for call in world.calls.log
            if query.get("target", call.target) == call.target and query.get("path", "") in call.path
        ]
        totals = {
            "total": world.calls.total,
            "sign_ins": world.sessions.sign_ins.total(),
            "counts": dict(world.calls.counts),
        }
    return totals | {"calls": chosen[-_limit() :]}


def _limit() -> int:
    text = request.args.get("limit", "200")
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise Unclear(f"limit must be a whole number of at least 1, not {text!r}")
    return int(text)


@control.get("/sessions")
def sessions() -> Result:
    """Who is signed in; tokens are not shown."""
    world = current_world()
    with world.lock:
        live = [
            {"credential": s.credential, "site": s.site, "expires_at": s.expires_at.isoformat()}
            for s in world.sessions.live()
        ]
        return {"live": live, "sign_ins": dict(world.sessions.sign_ins), "total": world.sessions.sign_ins.total()}


@control.post("/sessions/expire")
def expire() -> Result:
    """End sessions."""
    world, credential = current_world(), _body().get("credential")
    with world.lock:
        return {"ended": world.sessions.end(str(credential) if credential else None)}


@control.get("/faults")
def faults() -> Result:
    """What is switched on."""
    return {"on": [asdict(fault) for fault in current_world().faults.on()], "kinds": KINDS}


@control.post("/faults")
def switch_on() -> Result:
    """Switch a fault on."""
    world = current_world()
    fault = world.faults.add(_body())
    world.changed()
    return {"fault": asdict(fault)}, 201


@control.delete("/faults")
@control.delete("/faults/<int:number>")
def switch_off(number: int | None = None) -> Result:
    """Switch one fault off, or all."""
    world = current_world()
    removed = world.faults.remove(number)
    world.changed()
    return {"removed": removed}


@control.get("/settings")
def settings() -> Result:
    """The manners as they are."""
    config = current_world().config
    return {name: getattr(config, name) for name in changeable_settings()}


@control.post("/settings")
def change_settings() -> Result:
    """Change manners."""
    current_world().set(_body())
    return settings()


@control.post("/settle")
def settle() -> Result:
    """Wait for peace."""
    try:
        seconds = min(60.0, float(_body().get("seconds", 10)))
    except (TypeError, ValueError) as error:
        raise Unclear("seconds must be a number") from error
    return {"settled": current_world().timer.settle(seconds)}


@control.post("/reset")
def reset() -> Result:
    """Begin anew."""
    current_world().reset()
    return {"status": "ok"}
