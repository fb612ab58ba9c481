"""The untag action: remove tags from the workbook, data source or view that an event is about."""

from __future__ import annotations

from functools import partial

from webhooks.context import Context
from webhooks.context.changes import Change, change_once, content_now, remove_all
from webhooks.errors import Permanent, Skip
from webhooks.handlers.tag import KINDS, TagParams
from webhooks.registry import action


@action("untag", params=TagParams)
def untag(context: Context, params: TagParams) -> str:
    """Remove the tags that the content has. Raises Skip if it has none of them, or cannot have tags.

    Raises Permanent for a tag that cannot be in an address, such as `..`. An Updated event that a removal may
    cause runs this again: the skip ends that loop.
    """

    def find() -> Change:
        content = content_now(context, KINDS, "has no tags")
        wanted = {one.casefold() for one in params.tags}
        found = [one for one in content.tags if one.casefold() in wanted]
        if not found:
            raise Skip("it has none of these tags")

        def remove() -> None:
            removals = (partial(context.tableau.delete_tag, content, one) for one in found)
            try:
                remove_all(removals, "they are removed already")
            except ValueError as error:
                raise Permanent(str(error)) from error

        return Change(f"{'tag' if len(found) == 1 else 'tags'} {', '.join(found)}", "removed", remove)

    return change_once(context, params, find)
