"""The badge of content: an image that says of what time its data is."""

from __future__ import annotations

from flask import Response
from markupsafe import escape
from werkzeug.exceptions import NotFound

from webhooks.dashboard.badges import signed_luid
from webhooks.dashboard.visit import Visit

SECONDS = 60
# Colours of both halves; an image has no style sheet.
GREY, GREEN, RED = "#4b5563", "#0b7a4b", "#b02a08"
# The width of a character, and of the space beside a text.
CHARACTER, SPACE = 6.6, 12


def show(visit: Visit, signed: str) -> Response:
    """Return the image. Anyone who has its address may see it: it names no content."""
    luid = signed_luid(visit.services, signed)
    if luid is None:
        raise NotFound
    lists = visit.services.inbox.resource_lists
    last, since = lists.last_success(luid), lists.delayed_since(luid)
    label = "data of"
    text, colour = visit.when(last) if last else "unknown", GREEN if last else GREY
    if since is not None:
        text, colour = f"{text} · delayed since {visit.when(since)}", RED
    response = Response(image(label, text, colour), content_type="image/svg+xml; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={SECONDS}"
    # It is there to be part of other pages.
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Content-Security-Policy"] = "default-src 'none'; frame-ancestors *"
    response.headers["X-Frame-Options"] = ""
    return response


def image(label: str, text: str, colour: str) -> str:
    """Return a badge with a grey and a coloured half."""
    left = round(len(label) * CHARACTER + SPACE)
    right = round(len(text) * CHARACTER + SPACE)
    name = escape(f"{label} {text}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="22" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
        f'<rect width="{left + right}" height="22" rx="4" fill="{colour}"/>'
        f'<path d="M4 0h{left - 4}v22H4a4 4 0 0 1-4-4V4a4 4 0 0 1 4-4z" fill="{GREY}"/>'
        '<g fill="#fff" font-family="system-ui,Verdana,sans-serif" font-size="12" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="15">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="15">{escape(text)}</text></g></svg>\n'
    )
