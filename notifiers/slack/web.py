"""The door to Slack: slack_sdk's client, made never to wait and never to post twice by itself."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from notifiers.errors import NotifierError, cause, hushed
from notifiers.message import Picture
from notifiers.slack.client import Client
from notifiers.slack.errors import refusal
from notifiers.text import one_line

TIMEOUT = 10  # seconds, for every single step on the wire
ALT_TEXT, TITLE = 1000, 100  # characters; the second is ours, for the line above the picture

# What happens before the first byte is sent; after anything else Slack may have what we said.
UNSENT = (ConnectionRefusedError, socket.gaierror, TimeoutError, ssl.SSLCertVerificationError)


class Web:
    """Slack's Web API as far as it is used here; every failure is a NotifierError. Thread-safe."""

    def __init__(self, *, token: str, api_url: str, clock: Callable[[], datetime]) -> None:
        self._token = token
        self._clock = clock
        # No retry handlers: those of slack_sdk sleep in the thread, and the one it has by default repeats a
        # post whose answer was lost. An error leaves at once and the job comes back when the error says.
        self._client = Client(token=token, base_url=api_url, timeout=TIMEOUT, retry_handlers=[], logger=_silent())

    def post(self, **arguments: Any) -> dict[str, Any]:
        """`chat.postMessage`, with names and links left as they are written."""
        with self._translated():
            return _data(
                self._client.chat_postMessage(**arguments, unfurl_links=False, unfurl_media=False, link_names=False)
            )

    def user_id(self, email: str) -> str:
        """The id of the user with that e-mail address."""
        with self._translated():
            user = _data(self._client.users_lookupByEmail(email=email))["user"]
            return str(user["id"])

    def upload(self, picture: Picture, *, channel: str, thread: str) -> None:
        """Add a file to the thread of a message; `channel` is an id."""
        alt, filename = one_line(picture.alt), one_line(picture.filename)
        with self._translated():
            self._client.files_upload_v2(
                channel=channel,
                thread_ts=thread,
                content=picture.data,
                filename=filename,
                title=alt[:TITLE] or filename,
                alt_txt=alt[:ALT_TEXT] or None,
            )

    def whoami(self) -> SlackResponse:
        """`auth.test`, whose headers name the scopes of the token."""
        with self._translated():
            return self._client.auth_test()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (SlackClientError, OSError, HTTPException) as error:
            raise hushed(self._error(error), [self._token]) from cause(error, [self._token])
        except (ValueError, AttributeError, LookupError, TypeError) as error:
            # An answer that slack_sdk cannot read: not UTF-8, not an object, without what it must have.
            reason = f"Slack's answer cannot be read ({type(error).__name__}); is SLACK_API_URL right?"
            raise NotifierError(reason, uncertain=True) from cause(error, [self._token])

    def _error(self, error: Exception) -> NotifierError:
        if isinstance(error, SlackApiError):
            response = error.response
            return refusal(response.status_code, response.data, response.headers, self._clock())
        if isinstance(error, HTTPError):
            with error:
                return refusal(error.code, None, dict(error.headers.items()), self._clock())
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(error, URLError) and isinstance(reason, UNSENT):
            return NotifierError(f"Slack cannot be reached: {reason}", sent=False)
        return NotifierError(f"Slack did not answer: {reason}", uncertain=True)


def _data(response: SlackResponse) -> dict[str, Any]:
    if not isinstance(response.data, dict):
        raise TypeError("not a JSON object")
    return response.data


def _silent() -> logging.Logger:
    # What slack_sdk logs is in the errors too, and those are logged where it is decided what follows.
    logger = logging.getLogger(f"{__name__}.unheard")
    logger.setLevel(logging.CRITICAL + 1)
    return logger
