"""Twilio's Messages resource over HTTP.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from email.utils import format_datetime
from functools import wraps
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, request

from simulator.twilio.account import Sms, TwilioError
from simulator.twilio.status_callback import schedule_callbacks
from simulator.world.current import current_world
from simulator.world.world import World

VERSION = "2010-04-01"
twilio = Blueprint("twilio", __name__, url_prefix=f"/twilio/{VERSION}/Accounts/<sid>")
View = Callable[..., Response]


@twilio.errorhandler(TwilioError)
def error_response(error: TwilioError) -> Response:
    """Return the response of an error."""
    about = f"https://www.twilio.com/docs/errors/{error.code}"
    content = {"code": error.code, "message": error.message, "more_info": about, "status": error.status}
    return _json(content, error.status)


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json;charset=utf-8")


def authenticated(view: View) -> View:
    """Check the credentials first: those of the account in the address. Raises TwilioError."""

    @wraps(view)
    def check_and_call(sid: str, **parts: str) -> Response:
        world, given = current_world(), request.authorization
        if given is None or given.type != "basic":
            raise TwilioError(20003, "Authenticate", 401)
        pair = f"{given.username}:{given.password}".encode()
        if not any(compare_digest(pair, ":".join(known).encode()) for known in world.twilio.credentials):
            raise TwilioError(20003, "Authenticate", 401)
        if sid != world.twilio.sid:
            raise TwilioError(20404, f"The requested resource {request.path} was not found", 404)
        with world.lock:
            return view(world, **parts)

    return check_and_call


@twilio.post("/Messages.json")
@authenticated
def send(world: World) -> Response:
    """Accept a message for sending."""
    fault = world.faults.take("undelivered")
    media = tuple(request.form.getlist("MediaUrl"))
    sms = world.twilio.send(request.form.to_dict(), media, error_code=int(fault.code) if fault else 0)
    if url := request.form.get("StatusCallback", ""):
        schedule_callbacks(world, sms, url)
    world.changed()
    # Twilio responds before it sends, however slow the response is.
    return _json(describe_sms(world, sms, sms.at), 201)


@twilio.get("/Messages/<message>.json")
@authenticated
def fetch(world: World, message: str) -> Response:
    """Return one message."""
    return _json(describe_sms(world, world.twilio.find(message), world.now()))


@twilio.get("/Messages.json")
@authenticated
def list_messages(world: World) -> Response:
    """List the messages sent, newest first, filtered by recipient, sender and day."""
    size, number, query = _int_argument("PageSize", 50), _int_argument("Page", 0), request.args

    def matches(sms: Sms) -> bool:
        day = sms.at.strftime("%Y-%m-%d")
        return (
            query.get("To", sms.to) == sms.to
            and query.get("From", sms.sender) == sms.sender
            and query.get("DateSent", day)[:10] == day
            and query.get("DateSent>", day)[:10] <= day
            and query.get("DateSent<", day)[:10] >= day
        )

    found = [sms for sms in reversed(world.twilio.messages) if matches(sms)]
    page = found[number * size : (number + 1) * size]
    base = f"/{VERSION}/Accounts/{world.twilio.sid}/Messages.json"
    more, now = len(found) > (number + 1) * size, world.now()
    paging = {
        "uri": f"{base}?PageSize={size}&Page={number}",
        "first_page_uri": f"{base}?PageSize={size}&Page=0",
        "next_page_uri": f"{base}?PageSize={size}&Page={number + 1}" if more else None,
        "previous_page_uri": f"{base}?PageSize={size}&Page={number - 1}" if number else None,
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(0, len(page) - 1),
    }
    return _json({"messages": [describe_sms(world, sms, now) for sms in page]} | paging)


def _int_argument(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) > 1000:
        raise TwilioError(20001, f"Invalid parameter {name}")
    return int(value) or default


def describe_sms(world: World, sms: Sms, now: datetime) -> dict[str, Any]:
    """Return a message as the API shows it at `now`."""
    status, sent = sms.status(now, world.config.sms_seconds), format_datetime(sms.at)
    base = f"/{VERSION}/Accounts/{world.twilio.sid}/Messages/{sms.sid}"
    return {
        "sid": sms.sid,
        "account_sid": world.twilio.sid,
        "messaging_service_sid": sms.service or None,
        "to": sms.to,
        "from": sms.sender,
        "body": sms.body,
        "status": "accepted" if sms.service and status == "queued" else status,
        "num_segments": "0" if sms.service and status == "queued" else str(sms.segments),
        "num_media": str(len(sms.media)),
        "direction": "inbound" if sms.received else "outbound-api",
        "api_version": VERSION,
        "price": None,
        "price_unit": "USD",
        "error_code": sms.error_code or None if status == sms.final_status else None,
        "error_message": None,
        "uri": f"{base}.json",
        "subresource_uris": {"media": f"{base}/Media.json"},
        "date_created": sent,
        "date_updated": sent,
        "date_sent": None if status == "queued" else sent,
    }
