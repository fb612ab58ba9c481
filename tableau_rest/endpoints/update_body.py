"""The body of an update: only the fields that are to change."""

from __future__ import annotations

from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.responses import Json


def update_body(*, project: str | HasLuid | None = None, owner: str | HasLuid | None = None, **fields: object) -> Json:
    """Return the fields that are not None, as Tableau writes them. Raises ValueError if there are none."""
    body: Json = {name: value for name, value in fields.items() if value is not None}
    body |= {name: {"id": luid_of(thing)} for name, thing in (("project", project), ("owner", owner)) if thing}
    if not body:
        raise ValueError("nothing to change was given")
    return body
