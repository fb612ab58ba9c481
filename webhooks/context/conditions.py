"""Evaluate the conditions of a job that only Tableau can answer: project, owner, tags, certified."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import TableauError
from webhooks.errors import Permanent, Skip
from webhooks.patterns import Patterns, matches
from webhooks.rules.conditions import SITE, Match, match_payload, match_values

if TYPE_CHECKING:
    from tableau_rest.models import Reference
    from webhooks.context.context import Context

# The type of a location, beside Project, https://github.com/tableau/server-client-python (LocationItem).
PERSONAL_SPACE = "PersonalSpace"
# The checkpoint that holds why these conditions hold.
CONDITIONS = "conditions"


def check_conditions(context: Context) -> str:
    """Return why all conditions of the context's job hold, for `flask events explain`.

    Raises Skip with the reason if one does not hold, or if the content is gone. Raises Permanent if the look-up fails:
    such a condition is unknown, so it must neither pass nor skip the job silently.
    """
    where = {name: tuple(patterns) for name, patterns in context.job.where.items()}
    reasons = []
    if SITE in where:
        reasons.append(_required(match_payload(SITE, context.event, where.pop(SITE))))
    if where:
        lookup, names = context.lookup, " and ".join(where)
        if lookup.error is not None:
            raise Permanent(f"Cannot evaluate the condition on {names}: {lookup.error}") from lookup.error
        if lookup.content is None:
            raise Skip(f"cannot evaluate the condition on {names}: {lookup.problem}")
        reasons += [_required(_match(name, patterns, lookup.content, context)) for name, patterns in where.items()]
    return "; ".join(reasons)


def _required(match: Match) -> str:
    if not match.matched:
        raise Skip(match.reason)
    return match.reason


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
        return _match_project(patterns, reference, context)
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


def _match_project(patterns: Patterns, project: Reference, context: Context) -> Match:
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
