"""The tag action: puts tags on the workbook, data source or view that an event is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from webhooks.context import Context
from webhooks.errors import Skip
from webhooks.registry import Params, action

KINDS = ("workbook", "datasource", "view")
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r'^[^"\n]+$')]


class TagParams(Params):
    """Which tags."""

    tags: Annotated[
        tuple[Tag, ...],
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
        Field(min_length=1),
    ] = Field(description="the tags to add: one, or a list")


@action("tag", params=TagParams)
def tag(context: Context, params: TagParams) -> None:
    """Adds the tags that are not there yet. Raises Skip where there is nothing to add.

    A tag may make Tableau send an Updated event, which may lead here again; that ends the circle.
    """
    if context.event.content_kind not in KINDS:
        raise Skip(f"a {context.event.content_kind or 'thing of this kind'} has no tags")
    if context.lookup.refused:
        raise context.lookup.refused
    if context.lookup.content is None:
        raise Skip(context.lookup.problem)
    present = {one.casefold() for one in context.lookup.content.tags}
    wanted = [one for one in params.tags if one.casefold() not in present]
    if not wanted:
        raise Skip("it has these tags already")
    context.tableau.add_tags(context.lookup.content, wanted)
    context.log.info("Tagged %s", ", ".join(wanted))
