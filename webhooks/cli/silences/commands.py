"""`flask silences`: list, add and end silences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from webhooks.cli.support import application, future, options, terminal
from webhooks.cli.support.commands import Group
from webhooks.cli.support.exit_codes import Failure
from webhooks.cli.support.options import as_json
from webhooks.cli.support.presentation import Presentation
from webhooks.incidents import IncidentFilter
from webhooks.incidents.incident_filter import OPEN_STATES
from webhooks.text import count
from webhooks.views import silence_wording as wording

if TYPE_CHECKING:
    from rich.text import Text

    from webhooks.incidents import Silence, WeeklyPeriod

WEEKLY = re.compile(r"(?:([a-z][a-z, -]*?)\s+)?(\d{1,2}:\d\d)\s*-\s*(\d{1,2}:\d\d)")
MAX_REASON = 300
STYLES = {"active": "yellow", "waiting": "", "ended": "dim"}


@click.group(cls=Group)
def silences() -> None:
    """List, add and end silences, in which nothing is sent.

    A silence changes no incident: it holds the messages about those that match. At its end, one message lists what
    opened within it and is still open. Times are in TIMEZONE.
    """


@silences.command("list")
@click.option("--since", type=options.Time(), help="Also those that ended since: 7d, or an ISO time in UTC.")
@as_json
def list_silences(since: datetime | None, as_json: bool) -> None:
    """List silences and how many open incidents each matches.

    Those that have ended are left out, unless --since is given.
    """
    show = Presentation()
    found = application.inbox().silences.list(since or show.now)
    if as_json:
        for silence in found:
            print_object(silence, show)
        return
    if not found:
        click.echo("No silences.", err=True)
        return
    open_incidents = application.inbox().incidents.list(IncidentFilter(states=OPEN_STATES), limit=None)
    rows: list[list[Text | str]] = [
        [
            silence.id,
            terminal.styled(wording.state(silence, show.now), STYLES[wording.state(silence, show.now)]),
            show.line(wording.matchers(silence)),
            wording.period(silence, show.when),
            show.line(silence.by),
            show.line(silence.reason),
            str(len(wording.matching(silence, open_incidents, application.site_name))),
        ]
        for silence in found
    ]
    headings = ["ID", "STATE", "MATCHES", "PERIOD", "BY", "REASON", "OPEN"]
    terminal.show(terminal.table(headings, rows, flexible=["MATCHES", "REASON"]))


def pattern_option(name: str, field: str, text: str) -> Callable[[Any], Any]:
    """Return an option for patterns of one field."""
    help_text = f"{text}, with * and ?; a leading ! excludes; repeatable."
    return click.option(name, field, metavar="PATTERN", multiple=True, help=help_text)


def refuse_incomplete(matchers: Mapping[str, tuple[str, ...]], reason: str, *, everything: bool) -> None:
    """Raise UsageError unless the incidents are given, by patterns or by `everything`, and a valid reason."""
    if bool(matchers) == everything:
        raise click.UsageError("Which incidents? Give patterns such as --project, or --everything.")
    if not reason.strip() or len(reason) > MAX_REASON:
        raise click.BadParameter(f"Give a reason of 1 to {MAX_REASON} characters.", param_hint="--reason")


@silences.command("add")
@pattern_option("--project", "project", "Project or its path")
@pattern_option("--path", "path", "Path of the project, such as Finance/Reports")
@pattern_option("--name", "resource_name", "Name of the workbook, data source or flow")
@pattern_option("--site", "site", "Site, by its name in SITES_FILE or its LUID")
@pattern_option("--kind", "kind", "Kind of incident, such as failing")
@pattern_option("--reason-class", "reason_class", "Class of the reason, such as network")
@pattern_option("--tag", "tags", "Tag; one match is enough")
@click.option("--everything", is_flag=True, help="Match all incidents.")
@future.for_option
@future.until_option
@click.option("--from", "start", metavar="TIME", help="Start, as --until. Default: now.")
@click.option("--weekly", metavar="TIMES", help='Only at these times: "sat,sun 22:00-06:00", "mon-fri 01:00-03:00".')
@click.option("--reason", metavar="TEXT", required=True, help="Why, for the others.")
@future.by_option
@as_json
def add(
    *,
    everything: bool,
    length: str | None,
    until: str | None,
    start: str | None,
    weekly: str | None,
    reason: str,
    by: str | None,
    as_json: bool,
    **matchers: tuple[str, ...],
) -> None:
    """Add a silence.

    All kinds of patterns that are given have to match; of several of one kind, one has to.

    \b
    flask silences add --project "Finance*" --for 2h --reason "database upgrade"
    flask silences add --everything --weekly "sun 02:00-06:00" --reason backup
    """
    show = Presentation()
    given = {field: patterns for field, patterns in matchers.items() if patterns}
    refuse_incomplete(given, reason, everything=everything)
    begin = show.now if start is None else future.parse_future(start, show.now, show.zone, "--from")
    end = future.end_of(length, until, begin, show.zone)
    if end is None and weekly is None:
        raise click.UsageError("Until when? Give --for 2h or --until 12:00, or --weekly times.")
    author = future.author(by)
    silence = application.inbox().silences.add(
        matchers=given,
        start=begin,
        end=end,
        by=author,
        reason=application.redact(reason.strip()),
        weekly=None if weekly is None else parse_weekly(weekly, show),
    )
    application.record(
        "add silence", f"silence {silence.id}", f"{wording.matchers(silence)}: {silence.reason}", by=author
    )
    print_added(silence, show, as_json=as_json)


@silences.command("end")
@click.argument("ids", nargs=-1, required=True, type=int, metavar="ID...")
def end(ids: tuple[int, ...]) -> None:
    """End silences now; what they held is sent."""
    show = Presentation()
    unknown = []
    for silence_id in dict.fromkeys(ids):
        in_range = 0 < silence_id <= application.LARGEST_ID
        if in_range and application.inbox().silences.end(silence_id, show.now):
            application.record("end silence", f"silence {silence_id}")
            click.echo(f"Silence {silence_id}: ended")
        else:
            unknown.append(silence_id)
    if unknown:
        listed = ("Silence " if len(unknown) == 1 else "Silences ") + ", ".join(map(str, unknown))
        raise Failure(f"{listed} not found, or ended already. `flask silences list` shows those that have not ended.")


def print_added(silence: Silence, show: Presentation, *, as_json: bool) -> None:
    """Print what the silence matches, when, and how many open incidents that are now."""
    if as_json:
        print_object(silence, show)
        return
    records = application.inbox().incidents.list(IncidentFilter(states=OPEN_STATES), limit=None)
    matched = count(len(wording.matching(silence, records, application.site_name)), "open incident")
    text = f"{wording.matchers(silence)}, {wording.period(silence, show.when)}; matches {matched} now"
    click.echo(show.line(f"Silence {silence.id}: {text}"))


def print_object(silence: Silence, show: Presentation) -> None:
    """Print a silence as JSON, with the open incidents that it matches now."""
    records = application.inbox().incidents.list(IncidentFilter(states=OPEN_STATES), limit=None)
    matched = wording.matching(silence, records, application.site_name)
    terminal.print_json(wording.silence_object(silence, matched, show.now))


def parse_weekly(text: str, show: Presentation) -> WeeklyPeriod:
    """Return the weekly times that a text gives, in TIMEZONE. Raise BadParameter."""
    from webhooks.rules.policy import parse_weekly as parse  # noqa: PLC0415 - the help page needs no rules

    found = WEEKLY.fullmatch(text.strip().lower())
    if found is None:
        examples = '"sat,sun 22:00-06:00", "mon-fri 01:00-03:00" or "22:00-06:00"'
        raise click.BadParameter(f"{text!r} are no weekly times; write for example {examples}.", param_hint="--weekly")
    try:
        return parse({"from": found[2], "to": found[3], "days": found[1] or ""}, show.zone)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--weekly") from None
