"""Twilio's Messages resource over HTTP.

https://www.twilio.com/docs/messaging/api/message-resource
"""

import json
from collections.abc import Callable
from email.utils import format_datetime
from functools import wraps
from hmac import compare_digest
from typing import Any

from flask import Blueprint, Response, current_app, request

from simulator.twilio.account import Sms, TwilioError
from simulator.twilio.callback import call_back
from simulator.world.world import World

VERSION = "2010-04-01"
twilio = Blueprint("twilio", __name__, url_prefix=f"/twilio/{VERSION}/Accounts/<sid>")
View = Callable[..., Response]


def error_response(error: TwilioError) -> Response:
    """The answer that carries an error."""
    about = f"https://www.twilio.com/docs/errors/{error.code}"
    return _json(
        {"code": error.code, "message": error.message, "more_info": about, "status": error.status}, error.status
    )


def _json(content: dict[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(content), status, content_type="application/json;charset=utf-8")


def _signed(view: View) -> View:
    """Look at the credentials first: the account's own, which must also be the one in the address."""

    @wraps(view)
    def checked(sid: str, **parts: str) -> Response:
        world: World = current_app.extensions["simulator"]
        try:
            _check(world, sid)
            with world.lock:
                return view(world, **parts)
        except TwilioError as error:
            return error_response(error)

    return checked


def _check(world: World, sid: str) -> None:
    given = request.authorization
    if given is None or given.type != "basic" or not _ours(world, given.username or "", given.password or ""):
        raise TwilioError(20003, "Authenticate", 401)
    if sid != world.twilio.sid:
        raise TwilioError(20404, f"The requested resource {request.path} was not found", 404)


def _ours(world: World, name: str, password: str) -> bool:
    right = compare_digest(name.encode(), world.twilio.sid.encode())
    return compare_digest(password.encode(), world.twilio.token.encode()) and right


@twilio.post("/Messages.json")
@_signed
def send(world: World) -> Response:
    """Accept a message for sending."""
    sms = world.twilio.send(request.form.to_dict(), tuple(request.form.getlist("MediaUrl")))
    if callback := request.form.get("StatusCallback", ""):
        call_back(world, sms, callback)
    world.changed()
    return _json(_described(world, sms), 201)


@twilio.get("/Messages/<message>.json")
@_signed
def fetch(world: World, message: str) -> Response:
    """One message."""
    return _json(_described(world, world.twilio.find(message)))


@twilio.get("/Messages.json")
@_signed
def list_messages(world: World) -> Response:
    """The messages sent, newest first, by receiver, sender and day."""
    size, number = _whole("PageSize", 50), _whole("Page", 0)
    chosen = [sms for sms in reversed(world.twilio.messages) if _wanted(sms)]
    shown = chosen[number * size : (number + 1) * size]
    base = f"/{VERSION}/Accounts/{world.twilio.sid}/Messages.json"
    more = len(chosen) > (number + 1) * size
    paging = {
        "uri": f"{base}?PageSize={size}&Page={number}",
        "first_page_uri": f"{base}?PageSize={size}&Page=0",
        "next_page_uri": f"{base}?PageSize={size}&Page={number + 1}" if more else None,
        "previous_page_uri": f"{base}?PageSize={size}&Page={number - 1}" if number else None,
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(0, len(shown) - 1),
    }
    return _json({"messages": [_described(world, sms) for sms in shown]} | paging)


def _wanted(sms: Sms) -> bool:
    day, query = sms.at.strftime("%Y-%m-%d"), request.args
    return (
        query.get("To", sms.to) == sms.to
        and query.get("From", sms.sender) == sms.sender
        and query.get("DateSent", day)[:10] == day
        and query.get("DateSent>", day)[:10] <= day
        and query.get("DateSent<", day)[:10] >= day
    )


def _whole(name: str, default: int) -> int:
    value = request.args.get(name, str(default))
    if not value.isascii() or not value.isdigit() or int(value) > 1000:
        raise TwilioError(20001, f"Invalid parameter {name}")
    return int(value) or default


def _described(world: World, sms: Sms) -> dict[str, Any]:
    status, sent = sms.status(world.now(), world.config.sms_seconds), format_datetime(sms.at)
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
        "direction": "outbound-api",
        "api_version": VERSION,
        "price": None,
        "price_unit": "USD",
        "error_code": None,
        "error_message": None,
        "uri": f"{base}.json",
        "subresource_uris": {"media": f"{base}/Media.json"},
        "date_created": sent,
        "date_updated": sent,
        "date_sent": None if status == "queued" else sent,
    }
