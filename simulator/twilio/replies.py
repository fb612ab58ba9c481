"""Replies to text messages: a signed request to the server, as Twilio reports a message that it received.

https://www.twilio.com/docs/messaging/guides/webhook-request
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import requests

from simulator.twilio.account import Sms
from simulator.twilio.status_callback import signature
from simulator.world.world import World

# Seconds that Twilio waits for a response.
TIMEOUT = 15.0


@dataclass(frozen=True)
class Replied:
    """The result of a reply; `status` is None without a response, and `error` is "" after a 200."""

    sid: str
    url: str
    status: int | None
    response: str
    error: str
    milliseconds: float


def reply(world: World, number: str, body: str, *, opt_out: str = "") -> Replied:
    """Send a message from `number` to the account's own one, and return how the server responded.

    Do not hold the world's lock: the server may call back.
    """
    with world.lock:
        sid, account, token = world.twilio.new_sid(), world.twilio.sid, world.twilio.token
        to, url = world.twilio.sender, world.config.twilio_messages_url
    form = {"MessageSid": sid, "SmsSid": sid, "SmsMessageSid": sid, "AccountSid": account, "ApiVersion": "2010-04-01"}
    form |= {"From": number, "To": to, "Body": body, "NumMedia": "0", "NumSegments": "1", "SmsStatus": "received"}
    if opt_out:
        form["OptOutType"] = opt_out
    headers = {"X-Twilio-Signature": signature(url, form, token), "User-Agent": "TwilioProxy/1.1"}
    began = time.monotonic()
    status, text, error = None, "", ""
    try:
        with requests.Session() as session:
            session.trust_env = False
            response = session.post(url, data=form, headers=headers, timeout=TIMEOUT, allow_redirects=False)
            status, text = response.status_code, response.text[:1000]
        if status != 200:
            error = f"The server responded with {status} at {url}"
    except requests.RequestException as failure:
        error = f"The server cannot be reached at {url}: {type(failure).__name__}"
    result = Replied(sid, url, status, text, error, round((time.monotonic() - began) * 1000, 1))
    with world.lock:
        world.twilio.messages.append(Sms(sid, to, number, "", body, world.now(), received=True))
        world.changed()
    return result
