"""What an event is about, as Tableau knows it, and the conditions that only Tableau can answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.protocol.luid import luid_of
from webhooks.errors import Permanent, Skip
from webhooks.event import Event
from webhooks.rules.conditions import SITE, match_payload, match_values

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Reference

GONE = "is not there any more, or this server's user may not see it"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The workbook, data source, view, user or site that an event is about.

    Without `content`, `problem` says why in words; `refused` is the error where Tableau did not let us look.
    """

    content: Any = None
    problem: str = ""
    refused: Exception | None = None


def luid(event: Event) -> str | None:
    """The LUID of what the event is about; None where it gives none, or something that is none."""
    try:
        return luid_of(event.resource_luid)
    except ValueError:
        return None


def look_up(event: Event, tableau: Callable[[], Tableau], *, patient: bool = True) -> Lookup:
    """What `event` is about. What cannot be found is no error.

    A trouble that may pass (Tableau is down) is raised if we are `patient`, and like a refusal if not.
    """
    kind, known = event.content_kind, luid(event)
    if kind is None or known is None:
        return Lookup(problem="the event does not say what it is about")
    try:
        return Lookup(_ask(tableau(), kind, known))
    except NotFound:
        return Lookup(problem=f"the {kind} {GONE}")
    except (TableauError, Permanent) as error:
        if not error.permanent and patient:
            raise
        return Lookup(problem=f"Tableau could not be asked: {error}", refused=error)


def _ask(tableau: Tableau, kind: str, luid: str) -> Any:
    asked: Mapping[str, Callable[[str], Any]] = {
        "workbook": tableau.workbook,
        "datasource": tableau.datasource,
        "view": tableau.view,
        "user": tableau.user,
        "site": tableau.site,
    }
    return asked[kind](luid)


def check(where: Mapping[str, Sequence[str]], lookup: Lookup, path: Callable[[Reference], str]) -> str:
    """Why the conditions hold, in words. `path` gives a project's whole path.

    Raises Skip with the reason where one does not hold or cannot be looked at any more; Permanent where Tableau refuses
    to answer: nobody knows if the job should have run, so somebody is told.
    """
    asked = " and ".join(where)
    if lookup.refused is not None:
        raise Permanent(f"{asked} could not be looked at: {lookup.refused}") from lookup.refused
    if lookup.content is None:
        raise Skip(f"{asked} cannot be looked at: {lookup.problem}")
    return "; ".join(_met(name, tuple(patterns), lookup.content, path) for name, patterns in where.items())


def check_site(patterns: Sequence[str], event: Event) -> str:
    """Why the condition on the site holds, now that its name is known. Raises Skip with the reason if it does not."""
    finding = match_payload(SITE, event, tuple(patterns))
    if not finding.matched:
        raise Skip(finding.reason)
    return finding.reason


def _met(name: str, patterns: tuple[str, ...], content: Any, path: Callable[[Reference], str]) -> str:
    values, shown = _values(name, content, path)
    finding = match_values(name, patterns, values, shown=shown)
    if not finding.matched:
        raise Skip(finding.reason)
    return finding.reason


def _values(name: str, content: Any, path: Callable[[Reference], str]) -> tuple[list[str], str]:
    """What the content has under a condition's name, empty where its kind has no such thing; and how to show it."""
    if name == "tags":
        return list(getattr(content, "tags", ())), ""
    if name == "certified":
        certified = getattr(content, "is_certified", None)
        return [] if certified is None else [str(certified).lower()], ""
    reference = getattr(content, name, None)
    if reference is None:
        return [], ""
    if name == "project" and reference.luid:
        whole = path(reference)
        return [reference.name, whole], whole
    return [reference.name], ""
