"""The untag action: remove tags from the workbook, data source or view that an event is about."""

from __future__ import annotations

from webhooks.context import Context, kind_noun
from webhooks.context.lookup import look_up
from webhooks.errors import Skip
from webhooks.handlers.tag import KINDS, TagParams
from webhooks.registry import action


@action("untag", params=TagParams)
def untag(context: Context, params: TagParams) -> None:
    """Remove the tags that the content has. Raises Skip if it has none of them, or cannot have tags.

    An Updated event that a removal may cause runs this again: the skip ends that loop.
    """
    if context.event.content_kind not in KINDS:
        raise Skip(f"a {kind_noun(context.event.content_kind)} has no tags")
    lookup = look_up(context.event, lambda: context.tableau, last_attempt=context.last_attempt)
    if lookup.error:
        raise lookup.error
    if lookup.content is None:
        raise Skip(lookup.problem)
    wanted = {one.casefold() for one in params.tags}
    found = [one for one in lookup.content.tags if one.casefold() in wanted]
    if not found:
        raise Skip("it has none of these tags")
    for one in found:
        context.tableau.delete_tag(lookup.content, one)
    context.log.info("Tags removed: content=%s tags=%s", context.luid, ", ".join(found))
