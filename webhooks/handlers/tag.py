"""The tag action: add tags to the workbook, data source or view that an event is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now
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
    per_day: PerDay = 20
    dry_run: DryRun = False


@action("tag", params=TagParams)
def tag(context: Context, params: TagParams) -> str:
    """Add the tags that are missing. Raises Skip if none is missing or the content cannot have tags.

    A tag may make Tableau send an Updated event, which may run this again: the skip ends that loop.
    """

    def find() -> Change:
        content = content_now(context, KINDS, "has no tags")
        present = {one.casefold() for one in content.tags}
        missing = [one for one in params.tags if one.casefold() not in present]
        if not missing:
            raise Skip("it has these tags already")
        what = f"{'tag' if len(missing) == 1 else 'tags'} {', '.join(missing)}"
        return Change(what, "added", lambda: context.tableau.add_tags(content, missing))

    return change_once(context, params, find)
