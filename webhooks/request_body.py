"""The body of a request within its limit, in the codings that programs use: of events, the API and agents."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from flask import Request
from werkzeug.exceptions import (
    BadRequest,
    ClientDisconnected,
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from webhooks.event import MAX_BYTES

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# The window size that zlib takes for each coding, https://docs.python.org/3/library/zlib.html#zlib.decompress.
# "deflate" is zlib's format, https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2
WINDOW_BITS = {"gzip": 31, "x-gzip": 31, "deflate": 15}

TOO_LARGE = f"The body is larger than {MAX_BYTES // 1024} KiB."


class UnsupportedEncoding(UnsupportedMediaType):
    """415 with the accepted codings, https://www.rfc-editor.org/rfc/rfc9110#section-15.5.16."""

    def __init__(self, description: str, accepted: str = "gzip, deflate") -> None:
        super().__init__(description)
        self._accepted = accepted

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of the response."""
        return [*super().get_headers(environ, scope), ("Accept-Encoding", self._accepted)]


def coding_of(environ: WSGIEnvironment) -> str:
    """Return the content codings of a request in lower case; empty if the body is as it is.

    Proxies add `identity`, which changes nothing, and empty elements of the list mean nothing,
    https://www.rfc-editor.org/rfc/rfc9110#section-5.6.1.2.
    """
    codings = (coding.strip().lower() for coding in environ.get("HTTP_CONTENT_ENCODING", "").split(","))
    return ", ".join(coding for coding in codings if coding not in {"", "identity"})


def require_uncompressed(environ: WSGIEnvironment) -> None:
    """Raise UnsupportedEncoding for a compressed body.

    Neither browsers nor the services that sign their requests send one, and a signature is about the bytes as sent.
    """
    if coding := coding_of(environ):
        raise UnsupportedEncoding(f"The content encoding {coding[:30]!r} is not supported here.", "identity")


def read_body(request: Request) -> bytes:
    """Return the request's body, decompressed.

    Raises UnsupportedEncoding, RequestEntityTooLarge, RequestTimeout if it ends early, and BadRequest.
    """
    environ = request.environ
    coding = coding_of(environ)
    if coding not in {"", *WINDOW_BITS}:
        raise UnsupportedEncoding("The content encoding is not supported; send JSON as it is, or with gzip or deflate.")
    announced = environ.get("CONTENT_LENGTH") or ""
    if announced and not announced.isdecimal():
        raise BadRequest("Content-Length is not a number.")
    try:
        if announced and int(announced) <= MAX_BYTES:
            # Flask's stream checks each read against the limit, for the price of parsing the event.
            body: bytes = environ["wsgi.input"].read(int(announced))
        else:
            # Raises RequestEntityTooLarge if Content-Length exceeds MAX_CONTENT_LENGTH.
            body = request.get_data(cache=False)
            # Without Content-Length, Werkzeug stops reading at the limit without an error.
            if len(body) >= MAX_BYTES and environ["wsgi.input"].read(1):
                raise RequestEntityTooLarge  # noqa: TRY301 - handled like Werkzeug's own
    except RequestEntityTooLarge as error:
        raise RequestEntityTooLarge(TOO_LARGE) from error
    except (ClientDisconnected, OSError) as error:
        raise RequestTimeout("The body ended early.") from error
    except Exception as error:
        # Each server has its own exceptions for invalid chunks.
        raise BadRequest("The body's chunks are invalid.") from error
    if announced and len(body) < int(announced):
        raise RequestTimeout("The body ended early.")
    return decompress(body, coding) if coding in WINDOW_BITS else body


def decompress(body: bytes, coding: str) -> bytes:
    """Return the decompressed body. Raises RequestEntityTooLarge before it exceeds the limit, and BadRequest."""
    decompressor = zlib.decompressobj(WINDOW_BITS[coding])
    try:
        decompressed = decompressor.decompress(body, MAX_BYTES + 1)
    except zlib.error as error:
        raise BadRequest(f"The body is not {coding}, as Content-Encoding says.") from error
    if len(decompressed) > MAX_BYTES:
        raise RequestEntityTooLarge(TOO_LARGE)
    if not decompressor.eof or decompressor.unused_data:
        raise BadRequest(f"The {coding} body is incomplete, or something follows it.")
    return decompressed
