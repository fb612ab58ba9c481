"""The certify and uncertify actions: certify the data source that an event is about, or end its certification."""

from __future__ import annotations

from pydantic import Field

from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now
from webhooks.errors import Skip
from webhooks.registry import Params, action


class CertifyParams(Params):
    """The note of a certification."""

    note: str = Field("", max_length=4000, description="text that is shown with the certification")
    per_day: PerDay = 5
    dry_run: DryRun = False


class UncertifyParams(Params):
    """The limits of ending certifications."""

    per_day: PerDay = 5
    dry_run: DryRun = False


@action("certify", params=CertifyParams)
def certify(context: Context, params: CertifyParams) -> str:
    """Certify the data source. Raises Skip if it is certified with this note, or is not a data source.

    The Updated event of this change may run this again: the skip ends that loop.
    """

    def find() -> Change:
        content = content_now(context, ("datasource",), "cannot be certified")
        if content.is_certified and params.note in ("", content.certification_note):
            raise Skip("it is certified already")
        return Change("data source", "certified", lambda: context.tableau.certify_datasource(content, params.note))

    return change_once(context, params, find)


@action("uncertify", params=UncertifyParams)
def uncertify(context: Context, params: UncertifyParams) -> str:
    """End the certification of the data source. Raises Skip if it has none, or is not a data source."""

    def find() -> Change:
        content = content_now(context, ("datasource",), "cannot be certified")
        if not content.is_certified:
            raise Skip("it is not certified")
        return Change("certification", "removed", lambda: context.tableau.uncertify_datasource(content))

    return change_once(context, params, find)
