"""Report the status of messages to a status callback, signed as Twilio signs.

https://www.twilio.com/docs/usage/security#validating-requests
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from collections.abc import Mapping
from functools import partial

import requests

from simulator.twilio.account import Sms
from simulator.world.world import World

log = logging.getLogger(__name__)


def schedule_callbacks(world: World, sms: Sms, url: str) -> None:
    """Schedule the requests that report that the message was sent, and delivered or not."""
    for number, status in enumerate(("sent", sms.final_status), 1):
        form = {"MessageSid": sms.sid, "MessageStatus": status, "To": sms.to, "From": sms.sender}
        form |= {"AccountSid": world.twilio.sid, "ApiVersion": "2010-04-01", "SmsSid": sms.sid, "SmsStatus": status}
        if sms.error_code and status == sms.final_status:
            form["ErrorCode"] = str(sms.error_code)
        world.timer.after(number * world.config.sms_seconds, partial(send_callback, url, form, world.twilio.token))


def send_callback(url: str, form: Mapping[str, str], token: str) -> None:
    """Send one signed request; a failure is only logged."""
    headers = {"X-Twilio-Signature": signature(url, form, token), "User-Agent": "TwilioProxy/1.1"}
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.post(url, data=form, headers=headers, timeout=(5, 15), allow_redirects=False).close()
    except requests.RequestException as error:
        log.warning("Status callback failed: %s", type(error).__name__)


def signature(url: str, form: Mapping[str, str], token: str) -> str:
    """Return the HMAC of the address and the sorted fields, which proves that a callback is genuine."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
