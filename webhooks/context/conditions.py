"""Evaluate the conditions of a job that cannot be decided when it is planned: on the content, the run, other rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import TableauError
from webhooks.context.failed_job import NO_REASON, look_up_reason
from webhooks.errors import Permanent, Skip
from webhooks.incidents import evidence
from webhooks.incidents.reasons import classify
from webhooks.patterns import Patterns, matches
from webhooks.rules.conditions import ANY, CONTENT_FIELDS
from webhooks.rules.matching import FAILURES, SITE, Match, match_count, match_payload, match_values
from webhooks.rules.order import UNLESS

if TYPE_CHECKING:
    from tableau_rest.models import Reference
    from webhooks.context.context import Context

# The type of a location, beside Project, https://github.com/tableau/server-client-python (LocationItem).
PERSONAL_SPACE = "PersonalSpace"
# The checkpoint that holds why these conditions hold.
CONDITIONS = "conditions"


def check_conditions(context: Context) -> str:
    """Return why all conditions of the context's job hold, for `flask events explain`.

    Raises Skip with the reason if one does not hold, or if the content is gone. Raises Permanent if that depends on a
    condition that cannot be looked up: it is unknown, so it must neither pass nor skip the job silently.
    """
    result = evaluate(context.job.where, context)
    if not result.matched:
        raise Skip(result.reason)
    return result.reason


def evaluate(where: Mapping[str, Any], context: Context) -> Match:
    """Return whether the deferred conditions of a job hold, and why; one that does not hold decides.

    Raises Permanent if only unknown conditions could decide, and an error that may pass.
    """
    found = {name: tuple(patterns) for name, patterns in where.items()}
    content = {name: patterns for name, patterns in found.items() if name in CONTENT_FIELDS}
    # Those that take the least time first: Tableau's job list can show a failure seconds after the event.
    checks: list[Callable[[], Match]] = []
    if SITE in found:
        checks.append(lambda: match_payload(SITE, context.event, found[SITE]))
    if FAILURES in found:
        checks.append(lambda: match_count(FAILURES, found[FAILURES], failures_in_a_row(context)))
    if content:
        checks.append(lambda: _match_content(content, context))
    if ANY in found:
        checks.append(lambda: _match_any(where[ANY], context))
    if "reason" in found or "reason_class" in found:
        checks.append(lambda: _match_reason(found, context))
    if UNLESS in found:
        checks.append(lambda: _match_unless(where[UNLESS], context))
    return _all(checks)


def _all(checks: Sequence[Callable[[], Match]]) -> Match:
    reasons, unknown = [], None
    for check in checks:
        try:
            result = check()
        except Permanent as error:
            unknown = unknown or error
            continue
        if not result.matched:
            return result
        reasons.append(result.reason)
    if unknown is not None:
        raise unknown
    return Match(matched=True, reason="; ".join(filter(None, reasons)))


def _match_any(alternatives: Sequence[Mapping[str, Any]], context: Context) -> Match:
    """Return whether one of the alternatives holds. Raises Permanent if none is known to, and one is unknown."""
    reasons, unknown = [], None
    for alternative in alternatives:
        try:
            result = evaluate(alternative, context)
        except Permanent as error:
            unknown = unknown or error
            continue
        if result.matched:
            return result
        reasons.append(result.reason)
    if unknown is not None:
        raise unknown
    return Match(matched=False, reason=f"no alternative holds: {'; or '.join(reasons)}")


def _match_unless(entries: Sequence[Mapping[str, Any]], context: Context) -> Match:
    """Return whether none of the rules that go before takes the event."""

    def check(entry: Mapping[str, Any]) -> Match:
        result = evaluate(entry["where"], context)
        verb = "takes" if result.matched else "does not take"
        return Match(not result.matched, f'rule "{entry["rule"]}" {verb} this event: {result.reason}')

    return _all([partial(check, entry) for entry in entries])


def failures_in_a_row(context: Context) -> int | None:
    """Return how many runs in a row had failed up to the event's; None if the event is not about a failed run."""
    piece = evidence(context.event)
    if piece is None or piece.outcome != "failed":
        return None
    record = context.inbox.incidents.of_resource(*piece.resource, piece.at)
    runs = [run for run in record.incident.runs if run.at <= piece.at] if record else []
    number = 0
    for run in sorted(runs, key=lambda run: run.at, reverse=True):
        if run.outcome == "succeeded":
            break
        number += run.outcome == "failed"
    return max(number, 1)


def _match_reason(where: Mapping[str, Patterns], context: Context) -> Match:
    """Compare the conditions `reason` and `reason_class`. Raises Permanent if the reason cannot be looked up."""
    reason: list[str] = []
    classes: list[str] = []
    if context.event.type.verb == "failed":
        text = _reason(context)
        reason, classes = [text] if text else [], [classify(text)]
    values = {"reason": reason, "reason_class": classes}
    return _all([partial(match_values, name, where[name], values[name]) for name in values if name in where])


def _reason(context: Context) -> str:
    """Return why the event's run failed, empty if Tableau gives no reason. Raises Permanent if that is unknown."""
    piece = evidence(context.event)
    record = context.inbox.incidents.of_resource(*piece.resource, piece.at) if piece else None
    runs = record.incident.runs if record else ()
    known = next((run.reason for run in runs if context.event.id in run.event_ids), "")
    if not known:
        lookup = context.lookup
        known, problem = look_up_reason(context, lookup)
        if not known:
            problem = problem or lookup.problem or "Tableau does not show the job"
            raise Permanent(f"Cannot evaluate the condition on the reason: {problem}") from lookup.error
    return "" if known == NO_REASON else known


def _match_content(where: Mapping[str, Patterns], context: Context) -> Match:
    lookup, names = context.lookup, " and ".join(where)
    if lookup.error is not None:
        raise Permanent(f"Cannot evaluate the condition on {names}: {lookup.error}") from lookup.error
    if lookup.content is None:
        return Match(matched=False, reason=f"cannot evaluate the condition on {names}: {lookup.problem}")
    return _all([partial(_match, name, patterns, lookup.content, context) for name, patterns in where.items()])


def _match(name: str, patterns: Patterns, content: Any, context: Context) -> Match:
    """Compare one condition with the content; content of a kind without such a field has no value for it."""
    if name == "tags":
        return match_values(name, patterns, getattr(content, "tags", ()), known_empty=hasattr(content, "tags"))
    if name == "certified":
        certified = getattr(content, "is_certified", None)
        return match_values(name, patterns, [] if certified is None else [str(certified).lower()])
    reference = getattr(content, name, None)
    if reference is None or not (reference.luid or reference.name):
        # Content in a Personal Space has a location instead of a project.
        private = name == "project" and getattr(content, "location_type", "") == PERSONAL_SPACE
        return match_values(name, patterns, [], shown="none (Personal Space)" if private else "none")
    if name == "project" and reference.luid:
        return match_project(patterns, reference, context)
    return match_values(name, patterns, [reference.name or _user_name(reference, context)])


def _user_name(user: Reference, context: Context) -> str:
    """Return the name of a user of which the content has only the LUID. Raises Permanent if Tableau does not say."""
    try:
        name = context.find_user(user.luid).name
    except TableauError as error:
        if not error.permanent and not context.last_attempt:
            raise
        raise Permanent(f"Cannot evaluate the condition on owner: {error}") from error
    if not name:
        raise Permanent(f"Cannot evaluate the condition on owner: Tableau gives no name for the user {user.luid}")
    return str(name)


def match_project(patterns: Patterns, project: Reference, context: Context) -> Match:
    """Compare a project's name and path. Raises Permanent if the path is needed and Tableau does not give all of it."""
    values, shown = [project.name] if project.name else [], project.name
    try:
        found = context.find_project_path(project)
        values, shown = [*values, found.path], found.path
        unknown = "" if found.complete else f'the server\'s Tableau user cannot see all projects above "{found.path}"'
    except TableauError as error:
        if not error.permanent and not context.last_attempt:
            raise
        unknown = str(error)
    if unknown and not _decided(patterns, values):
        raise Permanent(f"Cannot evaluate the condition on project: {unknown}")
    return match_values("project", patterns, values, shown=shown)


def _decided(patterns: Patterns, known: Sequence[str]) -> bool:
    """Return whether the known values decide, whatever else the project's path may contain."""
    wanted = tuple(pattern for pattern in patterns if not pattern.startswith("!"))
    refused = tuple(pattern for pattern in patterns if pattern.startswith("!"))
    if not matches(refused, known):
        return True
    if wanted and not matches(wanted, known):
        return not any(map(_can_match_a_path, wanted))
    return not any(map(_can_match_a_path, refused))


def _can_match_a_path(pattern: str) -> bool:
    return any(character in pattern for character in "*?/")
