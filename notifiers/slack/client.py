"""Slack's Web API: slack_sdk's methods, sent by our own transport.

All methods of slack_sdk's client call `api_call`, which is public and documented; everything below it is not used:
it has no total time limit, follows redirects with the token, and repeats a post whose response was lost.
"""

from __future__ import annotations

import json as json_codec
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from slack_sdk.web import SlackResponse, WebClient

from notifiers.errors import NotifierError
from notifiers.message import Picture
from notifiers.slack.errors import refusal
from notifiers.text import one_line
from notifiers.transport import PORTS, Request, Timeouts, Transport

UPLOAD_TIMEOUTS = Timeouts(total=60.0)
# Characters. The second is our own limit, for the line above the picture.
ALT_TEXT, TITLE = 1000, 100
# Ids of channels and people, and time stamps of messages.
ID = re.compile(r"[A-Za-z0-9]{1,64}(\.[0-9]{1,20})?")
# Where Slack itself takes uploads, also if SLACK_API_URL is the address of a gateway.
SLACK_HOSTS = (".slack.com", ".slack-gov.com")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Client(WebClient):
    """slack_sdk's client; every failure is a NotifierError. Thread-safe."""

    def __init__(
        self,
        *,
        token: str,
        api_url: str,
        transport: Transport,
        clock: Callable[[], datetime],
        timeouts: Timeouts | None = None,
    ) -> None:
        super().__init__(token=token, base_url=api_url, retry_handlers=[])
        self._transport = transport
        self._clock = clock
        self._timeouts = timeouts

    def api_call(
        self,
        api_method: str,
        *,
        http_verb: str = "POST",  # noqa: ARG002 - POST works for every method, and keeps arguments out of logs
        files: dict[str, Any] | None = None,  # noqa: ARG002 - no method that we use sends any
        data: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        json: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        auth: dict[str, Any] | None = None,  # noqa: ARG002 - for methods that take no token
    ) -> SlackResponse:
        """Call a method of the Web API and return Slack's response. Raises NotifierError for any other than `ok`."""
        body, content_type = _encoded({**(params or {}), **(data or {})}, json)
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type, **(headers or {})}
        url = f"{self.base_url}{api_method}"
        response = self._transport.send(Request("POST", url, sent, body), self._timeouts)
        said = response.json()
        if response.status != 200 or said.get("ok") is not True:
            raise refusal(response.status, said, response.headers, self._clock())
        return SlackResponse(
            client=self,
            http_verb="POST",
            api_url=url,
            req_args={},
            data=said,
            headers=dict(response.headers),
            status_code=response.status,
        )

    def post(self, channel: str, text: str, blocks: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        """Post a message without any markup, and return the channel's id and the message's time stamp."""
        response = self.chat_postMessage(
            channel=channel,
            text=text,
            blocks=blocks,
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            mrkdwn=False,
        )
        return {name: response.get(name) if _is_id(response.get(name)) else None for name in ("channel", "ts")}

    def user_id(self, email: str) -> str:
        """Return the id of the user with that e-mail address."""
        try:
            user = self.users_lookupByEmail(email=email).get("user")
        except NotifierError as error:
            error.uncertain = False  # nothing was posted yet
            raise
        if not isinstance(user, dict) or not _is_id(user.get("id")):
            raise NotifierError("Slack's response names no user; is SLACK_API_URL right?")
        return str(user["id"])

    def upload(self, picture: Picture, *, channel: str, thread: str) -> None:
        """Add a file to the thread of a message; `channel` is an id.

        https://docs.slack.dev/messaging/working-with-files#upload
        """
        alt, filename = one_line(picture.alt), one_line(picture.filename)
        place = self.files_getUploadURLExternal(
            filename=filename, length=len(picture.data), alt_txt=alt[:ALT_TEXT] or None
        )
        url = str(place.get("upload_url"))
        if not is_slacks(url, self.base_url):
            raise NotifierError(f"Slack names an address for uploads that is not its own: {one_line(url)[:200]}")
        upload = Request("POST", url, {"Content-Type": "application/octet-stream"}, picture.data)
        response = self._transport.send(upload, UPLOAD_TIMEOUTS)
        if response.status != 200:
            raise refusal(response.status, None, response.headers, self._clock())
        file: dict[str, str | None] = {"id": str(place.get("file_id")), "title": alt[:TITLE] or filename}
        self.files_completeUploadExternal(files=[file], channel_id=channel, thread_ts=thread)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and ID.fullmatch(value) is not None


def is_slacks(url: str, api_url: str) -> bool:
    """Return whether a file may be sent to `url`: to the host of the API or a subdomain of it, or to Slack itself.

    A response must not be able to name an address inside the network.
    """
    try:
        target, api = urlsplit(url), urlsplit(api_url)
        host, scheme, api_host = target.hostname or "", target.scheme, api.hostname or ""
        port, api_port = target.port or PORTS[scheme], api.port or PORTS[api.scheme]
    except (ValueError, KeyError):
        return False
    if target.username is not None or scheme not in {"https", api.scheme}:
        return False
    if host == api_host:
        return port in {443, api_port} or host in LOOPBACK
    return (scheme, port) == ("https", 443) and f".{host}".endswith((f".{api_host}", *SLACK_HOSTS))


def _encoded(form: Mapping[str, Any], json: Mapping[str, Any] | None) -> tuple[bytes, str]:
    """Return the body and its content type, as Slack reads them."""
    if json is not None:
        return json_codec.dumps(json).encode(), "application/json; charset=utf-8"
    fields = {name: int(value) if isinstance(value, bool) else value for name, value in form.items()}
    return urlencode({name: value for name, value in fields.items() if value is not None}).encode(), (
        "application/x-www-form-urlencoded"
    )
