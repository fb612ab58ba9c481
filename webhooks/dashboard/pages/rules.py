"""The rules in force: their text, versions and differences, what each did lately, and a place to try an event."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from werkzeug.exceptions import NotFound

from webhooks.dashboard.filters import number_of
from webhooks.dashboard.pages.frame import frame
from webhooks.dashboard.serving import Page
from webhooks.dashboard.visit import Visit
from webhooks.event import Malformed, Unprocessable, parse
from webhooks.views import wording
from webhooks.views.explanation import preview

if TYPE_CHECKING:
    from notifiers import Message
    from webhooks.event import Event
    from webhooks.inbox import RuleVersion
    from webhooks.job import NewJob

VERSIONS = 20
MAX_LINES = 1500
MAX_EVENT = 20_000
EXAMPLE = '{"event_type": "WorkbookRefreshFailed", "resource": "WORKBOOK", "resource_name": "Sales"}'


def show(visit: Visit) -> Page:
    """Show the version in force, or another one, with its difference from the one before."""
    versions = visit.whole.rule_versions.list(VERSIONS)
    wanted = number_of(visit.request.args.get("version", ""))
    shown = next((version for version in versions if wanted in (None, version.id)), None)
    if wanted is not None and shown is None:
        raise NotFound(f"There is no version {wanted} of the rules among the last {VERSIONS}.")
    return _page(visit, versions, shown, {"given": EXAMPLE, "tried": None, "problem": "", "messages": []})


def try_event(visit: Visit) -> Page:
    """Show which rules and handlers match an event that was pasted, what would run, and the messages.

    Nothing is stored.
    """
    given = visit.field("event", most=MAX_EVENT)
    tried, problem = None, ""
    messages: list[tuple[list[str], str, Message]] = []
    try:
        event = parse(given.encode())
        if event is None:
            problem = "This is a test request, which is answered and not stored."
        else:
            tried = (event, preview(visit.services.planner.plan(event)))
            messages = list(_messages(visit, event, [new for one in tried[1] for new in one.unmade]))
    except (Malformed, Unprocessable) as error:
        problem = str(error)
    versions = visit.whole.rule_versions.list(VERSIONS)
    values = {"given": given, "tried": tried, "problem": problem, "messages": messages}
    return _page(visit, versions, versions[0] if versions else None, values)


def _messages(visit: Visit, event: Event, new: Sequence[NewJob]) -> Iterator[tuple[list[str], str, Message]]:
    """Yield the messages that jobs would send: the destinations, the rule and the message, equal ones once."""
    from webhooks.handlers.notify import NotifyParams  # noqa: PLC0415 - it imports the clients of other services
    from webhooks.views.rule_preview import destination_words, preview_message  # noqa: PLC0415 - as above

    groups: dict[tuple[str, str | None, str | None], list[NotifyParams]] = {}
    for job in new:
        if job.handler == "notify":
            params = NotifyParams.model_validate(dict(job.params))
            groups.setdefault((job.rule or "", params.title, params.text), []).append(params)
    for (rule, _, _), same in groups.items():
        message = preview_message(event, same[0], rule, visit.now, visit.zone)
        yield [*map(destination_words, same)], rule, message


def _page(visit: Visit, versions: Any, shown: RuleVersion | None, values: dict[str, Any]) -> Page:
    before = visit.whole.rule_versions.before(shown.id) if shown else None
    common = {
        "title": "Rules",
        "versions": versions,
        "shown": shown,
        "before": before,
        "difference": list(difference(before, shown)) if before and shown else [],
        "activity": sorted(visit.whole.event_lists.rule_activity().items()),
        "problems": visit.services.active_rules.problems(),
        "job_words": wording,
    }
    return Page("rules.html", {**frame(visit, "rules"), **common, **values})


def difference(before: RuleVersion, after: RuleVersion) -> Iterator[tuple[str, str]]:
    """Yield the lines that differ, with some around them, as a mark (`+`, `-`, ` `, `@`) and the text."""
    old, new = before.text.splitlines()[:MAX_LINES], after.text.splitlines()[:MAX_LINES]
    for line in list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]:
        yield line[:1], line[1:]
