"""The body of an update: only what is to change."""

from __future__ import annotations

from tableau_rest.protocol import responses
from tableau_rest.protocol.luid import HasLuid, luid_of


def changes(
    *, project: str | HasLuid | None = None, owner: str | HasLuid | None = None, **fields: object
) -> responses.Json:
    """What is not None, as Tableau writes it. Raises ValueError where nothing is to change."""
    body: responses.Json = {name: value for name, value in fields.items() if value is not None}
    body |= {name: {"id": luid_of(thing)} for name, thing in (("project", project), ("owner", owner)) if thing}
    if not body:
        raise ValueError("nothing to change was given")
    return body
