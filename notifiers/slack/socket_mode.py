"""Socket Mode: Slack reports presses of buttons through a connection that the server opens, without a public address.

slack_sdk's built-in client keeps the connection. Added here: the address comes through our own transport and must be
Slack's, and the connection is judged by what Slack sends, as the client may reconnect and then receive nothing:
https://github.com/slackapi/python-slack-sdk/issues/1701
https://docs.slack.dev/apis/events-api/using-socket-mode/
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.client import BaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from notifiers.errors import NotifierError, utc_now
from notifiers.slack.client import LOOPBACK, SLACK_HOSTS, Client
from notifiers.slack.config import SlackConfig
from notifiers.slack.interactions import InvalidInteraction, Press, press_of
from notifiers.tls import make_context
from notifiers.transport import Transport

log = logging.getLogger(__name__)

# Seconds between our pings; without a response to four of them the client reconnects.
PING_SECONDS = 5.0
# Seconds within which Slack says hello on a new connection, and within which it responds to a ping.
HELLO_SECONDS, PONG_SECONDS = 10.0, 30.0
# Seconds after which a connection is replaced, so that one that receives nothing is of no consequence for longer.
RENEW_SECONDS = 3600.0
# Presses that are stored at the same time.
THREADS = 2

# Stores a press, and returns whether it is committed.
OnPress = Callable[[Press], bool]


class Socket:
    """One connection; `problem` says whether presses arrive."""

    def __init__(self, config: SlackConfig, on_press: OnPress, *, ca_bundle: str = "") -> None:
        transport = Transport("Slack", secrets=config.secrets(), ca_bundle=ca_bundle)
        web = Client(token=config.app_token, api_url=config.api_url, transport=transport, clock=utc_now)
        # The library sets time limits of its own.
        web.ssl = make_context(ca_bundle)
        web.ssl.sslsocket_class = ssl.SSLSocket
        # The library logs each reconnection; what matters is logged by those who ask for the problem.
        quiet = logging.getLogger(f"{__name__}.client")
        quiet.setLevel(logging.CRITICAL)
        self._client = _Client(config.app_token, quiet, web, ping_interval=PING_SECONDS, concurrency=THREADS)
        self._client.message_listeners.append(self._receive)
        self._client.socket_mode_request_listeners.append(self._respond)
        self._on_press = on_press
        self._hello_at: float | None = None
        self._opened_at = time.monotonic()

    def open(self) -> None:
        """Connect. Raises NotifierError if Slack refuses it; a connection that fails is tried again by itself."""
        self._opened_at = time.monotonic()
        self._client.connect()

    def problem(self) -> str:
        """Return why presses may not arrive; empty if they do."""
        session = self._client.current_session
        if session is None or not session.is_active():
            return "not connected"
        now = time.monotonic()
        if self._hello_at is None:
            return "" if now - self._opened_at < HELLO_SECONDS else "connected, but Slack has not said hello"
        silent = time.time() - (session.last_ping_pong_time or time.time())
        return f"no response to pings for {silent:.0f} s" if silent > PONG_SECONDS else ""

    def is_open(self) -> bool:
        """Return whether Slack has said hello and nothing is wrong."""
        return self._hello_at is not None and not self.problem()

    def renew(self) -> None:
        """Replace a connection that is an hour old by a new one. Raises NotifierError."""
        if time.monotonic() - self._opened_at > RENEW_SECONDS:
            self._opened_at, self._hello_at = time.monotonic(), None
            self._client.connect_to_new_endpoint(force=True)

    def close(self) -> None:
        """Close the connection."""
        self._client.auto_reconnect_enabled = False
        session = self._client.current_session
        with suppress(OSError, AttributeError):
            # The library would wait for the end of its receiving, up to three seconds.
            session.sock.shutdown(SHUT_RDWR)  # type: ignore[union-attr]
        self._client.close()

    def _receive(self, _client: BaseSocketModeClient, message: Mapping[str, Any], _raw: str | None = None) -> None:
        if message.get("type") == "hello":
            self._hello_at = time.monotonic()

    def _respond(self, client: BaseSocketModeClient, request: SocketModeRequest) -> None:
        """Store a press before it is acknowledged: Slack shows the person an error for one that is not."""
        try:
            press = press_of(request.payload) if request.type == "interactive" else None
        except InvalidInteraction as error:
            log.warning("Interaction refused: %s", error)
            return
        if press is None or self._on_press(press):
            client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id))


class _Client(SocketModeClient):
    """slack_sdk's client with an address that is certainly Slack's."""

    def issue_new_wss_url(self) -> str:
        """Ask Slack for the address of a connection. Raises NotifierError."""
        response = self.web_client.api_call("apps.connections.open")
        url = str(response.get("url"))
        if not is_slacks_socket(url, self.web_client.base_url):
            raise NotifierError("Slack names an address for Socket Mode that is not its own; is SLACK_API_URL right?")
        if urlsplit(url).hostname in LOOPBACK:
            # The library knows no exceptions from a proxy.
            self.proxy = None
        return url


def is_slacks_socket(url: str, api_url: str) -> bool:
    """Return whether the connection may be opened: encrypted to Slack, or to the API's own host on this machine.

    A response must not be able to name an address inside the network. The library encrypts port 443 only.
    """
    try:
        target, api = urlsplit(url), urlsplit(api_url)
        host, port = target.hostname or "", target.port
    except ValueError:
        return False
    if target.username is not None:
        return False
    if target.scheme == "ws":
        return host in LOOPBACK and (host, port) == (api.hostname, api.port)
    return target.scheme == "wss" and port in {None, 443} and f".{host}".endswith(SLACK_HOSTS)
