"""The tag action: add tags to the workbook, data source or view that an event is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from webhooks.context import Context, kind_noun
from webhooks.context.lookup import look_up
from webhooks.errors import Skip
from webhooks.registry import Params, action

KINDS = ("workbook", "datasource", "view")
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r'^[^"\n]+$')]


class TagParams(Params):
    """The tags to add or to remove."""

    tags: Annotated[
        tuple[Tag, ...],
        BeforeValidator(lambda given: [given] if isinstance(given, str) else given),
        Field(min_length=1),
    ] = Field(description="the tags: one, or a list")


@action("tag", params=TagParams)
def tag(context: Context, params: TagParams) -> None:
    """Add the tags that are missing. Raises Skip if none is missing or the content cannot have tags.

    A tag may make Tableau send an Updated event, which may run this again: the skip ends that loop.
    """
    if context.event.content_kind not in KINDS:
        raise Skip(f"a {kind_noun(context.event.content_kind)} has no tags")
    # The shared look-up of a refresh event may be minutes old, and another job may have added tags since.
    lookup = look_up(context.event, lambda: context.tableau, last_attempt=context.last_attempt)
    if lookup.error:
        raise lookup.error
    if lookup.content is None:
        raise Skip(lookup.problem)
    present = {one.casefold() for one in lookup.content.tags}
    missing = [one for one in params.tags if one.casefold() not in present]
    if not missing:
        raise Skip("it has these tags already")
    context.tableau.add_tags(lookup.content, missing)
    context.log.info("Tags added: content=%s tags=%s", context.luid, ", ".join(missing))
