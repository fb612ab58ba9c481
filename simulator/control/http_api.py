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

from dataclasses import asdict

from flask import request

import simulator.control.message_routes
import simulator.control.site_routes  # noqa: F401 - these two add their routes to the blueprint
from simulator.config import changeable_settings
from simulator.control.blueprint import InvalidRequest, Result, control, read_body
from simulator.control.reports import call_report, delivery_report
from simulator.world.current import current_world
from simulator.world.faults import KINDS

__all__ = ["control"]


@control.get("/healthz")
def healthz() -> Result:
    """Respond with 200."""
    return {"status": "ok"}


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
    world, credential = current_world(), read_body().get("credential")
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
    fault = world.faults.add(read_body())
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
    current_world().set(read_body())
    return settings()


@control.post("/settle")
def settle() -> Result:
    """Wait until no delivery or refresh is running."""
    try:
        seconds = min(60.0, float(read_body().get("seconds", 10)))
    except (TypeError, ValueError) as error:
        raise InvalidRequest("seconds must be a number") from error
    return {"settled": current_world().timer.settle(seconds)}


@control.post("/reset")
def reset() -> Result:
    """Restore the initial state."""
    current_world().reset()
    return {"status": "ok"}
