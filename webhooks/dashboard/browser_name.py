"""The browser and the system that a request comes from, in a few words."""

from __future__ import annotations

# Most browsers also name those whose pages they can show, so that the first one that is found counts.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/User-Agent
BROWSERS = {
    "Edg": "Edge",
    "OPR": "Opera",
    "SamsungBrowser": "Samsung Internet",
    "Firefox": "Firefox",
    "FxiOS": "Firefox",
    "Chrome": "Chrome",
    "CriOS": "Chrome",
    "Safari": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "X11; Cr": "ChromeOS",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def browser_name(agent: str) -> str:
    """Return a few words for a User-Agent header, such as `Firefox on Windows`; empty if it names neither."""
    found = (next((name for mark, name in names.items() if mark in agent), "") for names in (BROWSERS, SYSTEMS))
    return " on ".join(filter(None, found))
