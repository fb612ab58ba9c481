"""Slack's Web API: slack_sdk's methods, sent by our own transport.

All methods of slack_sdk's client call `api_call`, which is public and documented; everything below it is not used:
it has no total time limit, follows redirects with the token, and repeats a post whose response was lost.
"""

from __future__ import annotations

import json as json_codec
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from urllib.parse import urlencode, urlsplit

from slack_sdk.web import SlackResponse, WebClient

from notifiers.errors import NotifierError
from notifiers.message import Picture
from notifiers.slack.errors import refusal
from notifiers.text import one_line
from notifiers.transport import LARGEST, PORTS, Request, Timeouts, Transport

# A burst of messages shares connections. Servers close idle ones after five seconds or more, a few after two.
KEEP_SECONDS = 1.0
# The whole picture is written in one step.
UPLOAD_TIMEOUTS = Timeouts(step=60.0, total=60.0)
# Characters. The second is our own limit, for the line above the picture.
ALT_TEXT, TITLE = 1000, 100
# Ids of channels and people, and time stamps of messages.
ID = re.compile(r"[A-Za-z0-9]{1,64}(\.[0-9]{1,20})?")
# Where Slack itself takes uploads, also if SLACK_API_URL is the address of a gateway.
SLACK_HOSTS = (".slack.com", ".slack-gov.com")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# Only these show something to people; any other method may be repeated after an unknown outcome.
POSTING = frozenset(["chat.postMessage", "files.completeUploadExternal"])
# The name of our metadata in a message; its content is our id.
METADATA = "notification"
# Messages on a page of a history, and pages.
HISTORY_SIZE, HISTORY_PAGES = 100, 10
# Bytes of a page of these lists: a message may have 13,200 characters in its blocks, a user or channel some kilobytes.
LARGEST_PAGE = 8 * 1024 * 1024
LISTS = frozenset(["conversations.history", "conversations.replies", "conversations.list", "users.list"])


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
        largest = LARGEST_PAGE if api_method in LISTS else LARGEST
        try:
            request = Request("POST", url, sent, body, largest, repeatable=api_method not in POSTING)
            response = self._transport.send(request, self._timeouts)
            said = response.json()
            if response.status != 200 or said.get("ok") is not True:
                raise refusal(response.status, said, response.headers, self._clock())
        except NotifierError as error:
            error.uncertain = error.uncertain and api_method in POSTING
            raise
        return SlackResponse(
            client=self,
            http_verb="POST",
            api_url=url,
            req_args={},
            data=said,
            headers=dict(response.headers),
            status_code=response.status,
        )

    def post(
        self,
        channel: str,
        text: str,
        blocks: list[dict[str, Any]] | None = None,
        *,
        thread: str = "",
        client_id: str = "",
    ) -> dict[str, Any]:
        """Post a message without any markup, and return the channel's id and the message's time stamp.

        `thread` is the time stamp of the message to reply to.
        """
        response = self.chat_postMessage(
            channel=channel,
            text=text,
            blocks=blocks,
            thread_ts=thread or None,
            metadata=_metadata(client_id),
            unfurl_links=False,
            unfurl_media=False,
            link_names=False,
            mrkdwn=False,
        )
        return {name: response.get(name) if _is_id(response.get(name)) else None for name in ("channel", "ts")}

    def update(
        self, channel: str, ts: str, text: str, blocks: list[dict[str, Any]] | None, *, client_id: str = ""
    ) -> dict[str, Any]:
        """Replace the content of a message, and return the channel's id and the message's time stamp."""
        # Names are not turned into links by default, except in this method.
        self.chat_update(
            channel=channel,
            ts=ts,
            text=text,
            blocks=blocks,
            metadata=_metadata(client_id),
            link_names=False,
            parse="none",
        )
        return {"channel": channel, "ts": ts}

    def show(self, channel: str, user: str, text: str, blocks: list[dict[str, Any]] | None) -> dict[str, Any]:
        """Show a message to one member of a channel; both are ids."""
        self.chat_postEphemeral(channel=channel, user=user, text=text, blocks=blocks, link_names=False, parse="none")
        return {"channel": channel}

    def messages(self, channel: str, oldest: float, *, thread: str = "") -> Iterator[Mapping[str, Any]]:
        """Yield the messages of a channel, or the replies in a thread, since `oldest` (seconds since 1970).

        Raises NotifierError, also if there are more than HISTORY_PAGES pages.
        """
        cursor = ""
        for _ in range(HISTORY_PAGES):
            chosen: dict[str, Any] = {
                "channel": channel,
                "oldest": f"{oldest:.6f}",
                "limit": HISTORY_SIZE,
                "cursor": cursor or None,
                "include_all_metadata": True,
            }
            method = partial(self.conversations_replies, ts=thread) if thread else self.conversations_history
            page = method(**chosen)
            listed = page.get("messages")
            for message in listed if isinstance(listed, list) else ():
                if isinstance(message, Mapping) and _is_id(message.get("ts")):
                    yield message
            details = page.get("response_metadata")
            cursor = str(details.get("next_cursor") or "") if isinstance(details, Mapping) else ""
            if not cursor:
                return
        words = f"Slack: more than {HISTORY_PAGES * HISTORY_SIZE} messages since then in {channel}"
        raise NotifierError(words, permanent=True)

    def user_id(self, email: str) -> str:
        """Return the id of the user with that e-mail address."""
        user = self.users_lookupByEmail(email=email).get("user")
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


def client_id_of(message: Mapping[str, Any]) -> str:
    """Return our id of a message from its metadata; empty if it has none."""
    metadata = message.get("metadata")
    if not isinstance(metadata, Mapping) or metadata.get("event_type") != METADATA:
        return ""
    payload = metadata.get("event_payload")
    return str(payload.get("id") or "") if isinstance(payload, Mapping) else ""


def _metadata(client_id: str) -> dict[str, Any] | None:
    return {"event_type": METADATA, "event_payload": {"id": client_id}} if client_id else None


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
