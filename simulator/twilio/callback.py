"""Tells a status callback how a message fares, signed as Twilio signs.

https://www.twilio.com/docs/usage/security#validating-requests
"""

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


def call_back(world: World, sms: Sms, url: str) -> None:
    """Have the address told when the message is sent, and when it has arrived."""
    for number, status in enumerate(("sent", "delivered"), 1):
        form = {"MessageSid": sms.sid, "MessageStatus": status, "To": sms.to, "From": sms.sender}
        form |= {"AccountSid": world.twilio.sid, "ApiVersion": "2010-04-01", "SmsSid": sms.sid, "SmsStatus": status}
        world.timer.after(number * world.config.sms_seconds, partial(_post, url, form, world.twilio.token))


def _post(url: str, form: Mapping[str, str], token: str) -> None:
    headers = {"X-Twilio-Signature": signature(url, form, token), "User-Agent": "TwilioProxy/1.1"}
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.post(url, data=form, headers=headers, timeout=(5, 15), allow_redirects=False).close()
    except requests.RequestException as error:
        log.warning("A status callback was not taken: %s", type(error).__name__)


def signature(url: str, form: Mapping[str, str], token: str) -> str:
    """The HMAC over the address and the sorted fields that tells a real callback from a forged one."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()
