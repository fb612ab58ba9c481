"""Render templates. Everything that comes from outside is escaped; secrets of the server are masked."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from webhooks.dashboard import charts
from webhooks.dashboard.pages.assets import asset_path
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.wording import NOUNS
from webhooks.text import count, escape_invisible
from webhooks.views import formats, incident_wording

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Environment:
    """Return the templates. They are parsed on first use."""
    return _environment(visible)


def render(template: str, redact: Callable[[str], str], **values: Any) -> str:
    """Return the page. If it contains a secret, it is rendered again with every value masked."""
    page = environment().get_template(template).render(**values)
    # Quotation marks as `redact` knows them.
    plain = page.replace("&#39;", "&#x27;").replace("&#34;", "&quot;")
    if redact(plain) == plain:
        return page

    def mask(value: Any) -> Any:
        return visible(redact(value)) if isinstance(value, str) and not isinstance(value, Markup) else value

    return _environment(mask).get_template(template).render(**values)


def visible(value: Any) -> Any:
    """Return a value for a page: in texts, characters that hide or turn others around are shown by their numbers."""
    if not isinstance(value, str) or isinstance(value, Markup) or value.isprintable():
        return value
    return "\n".join(map(escape_invisible, value.splitlines()))


def _environment(finalize: Callable[[Any], Any]) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=finalize,
    )
    made.globals |= {
        "asset": asset_path,
        "count": count,
        "words": incident_wording,
        "own_kinds": OWN_KINDS,
        "nouns": NOUNS,
        "charts": charts,
    }
    # Not `capitalize`, which would write Oauth.
    made.filters |= {"duration": formats.duration, "begin": lambda text: f"{text[:1].upper()}{text[1:]}"}
    return made
