"""Lay out incidents for people: blocks of lines for the status, a table for the list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from webhooks.cli.support import terminal
from webhooks.cli.support.presentation import Presentation
from webhooks.text import cut
from webhooks.views import incident_wording as wording

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord
    from webhooks.incidents.silences import ActiveSilence
    from webhooks.views.incident_story import Story
    from webhooks.views.status import Status

STATE_STYLES = {"open": "bold red", "acknowledged": "yellow", "snoozed": "yellow", "closed": "green"}
ENTRY_STYLES = {"failed": "red", "succeeded": "green", "closed": "green", "act": "yellow", "silence": "dim"}
# Characters of a reason on a terminal; `flask incidents show` has all.
MAX_REASON = 160


def incident_blocks(status: Status, show: Presentation) -> Iterator[RenderableType]:
    """Yield a line for each incident, and below it the details that are known, wrapped at the terminal's width."""
    records = status.incidents
    if not records:
        return
    rows: list[list[Text | str]] = [
        [
            str(record.id),
            terminal.styled(wording.kind(record.incident), STATE_STYLES[record.incident.state]),
            terminal.styled(terminal.shortened(wording.name(record.incident)), "bold"),
            terminal.shortened(record.details.project or "-"),
            wording.period(record.incident, show.now, show.when),
        ]
        for record in records
    ]
    table = terminal.table(["ID", "KIND", "NAME", "PROJECT", "SINCE"], rows, flexible=["NAME", "PROJECT"])
    headings, *lines = table.split("\n")
    yield headings
    indent = max(len(str(record.id)) for record in records) + len(terminal.GAP)
    for record, line in zip(records, lines, strict=True):
        yield line
        yield Padding(details_line(record, status.silences.get(record.id), show), (0, 0, 0, max(indent, 4)))


def details_line(record: IncidentRecord, silence: ActiveSilence | None, show: Presentation) -> Text:
    """Return the failures, the owner, the reason, who was notified, and who takes care of it or silenced it."""
    incident = record.incident
    reason = show.line(wording.reason(incident))
    notified = wording.notified(record, show.when, show.address)
    parts = [
        ", ".join(filter(None, [wording.failures(incident), wording.strikes(record)])),
        show.line(record.details.owner),
        cut(reason, MAX_REASON) if terminal.is_terminal() else reason,
        f"notified {notified}" if notified else "",
    ]
    state = show.line(wording.attention(incident, silence, show.when))
    is_loud = incident.state == "open" and not silence
    styled = [(part, "") for part in parts if part] + [(state, "" if is_loud else "yellow")]
    if following := wording.next_run(record, show.now, show.when):
        styled.append((following, ""))
    line = Text()
    for text, style in styled:
        line.append(" · " if line else "", style="dim").append(text, style=style)
    return line


def incident_page(story: Story, show: Presentation) -> list[RenderableType]:
    """Return everything about one incident: a headline, the details, what happened, and what was not sent and why."""
    incident, details = story.record.incident, story.record.details
    headline = Text.assemble(
        (str(story.record.id), "bold"),
        "  ",
        (incident.state, STATE_STYLES[incident.state]),
        "  ",
        wording.kind(incident),
        "  ",
        (terminal.shortened(wording.name(incident)), "bold"),
        "  ",
        wording.period(incident, show.now, show.when),
    )
    facts = [
        ("project", details.project),
        ("owner", details.owner),
        ("failures", ", ".join(filter(None, [wording.failures(incident), wording.strikes(story.record)]))),
        ("reason", wording.reason(incident)),
        ("advice", wording.advice(incident)),
        ("state", wording.attention(incident, story.silence, show.when)),
        ("schedule", wording.next_run(story.record, show.now, show.when)),
        ("link", details.link),
        ("unknown", details.problem),
    ]
    known = [(Text(fact, style="dim"), Text(show.line(value), overflow="fold")) for fact, value in facts if value]
    events = [
        (
            Text(show.when(entry.at), no_wrap=True),
            Text(show.line(entry.text), style=ENTRY_STYLES.get(entry.kind, ""), overflow="fold"),
        )
        for entry in story.entries
    ]
    parts: list[RenderableType] = [headline, Padding(_grid(known), (1, 0, 1, 2)), Padding(_grid(events), (0, 0, 0, 2))]
    if story.unsent:
        unsent = [
            (Text(one.destination and show.address(one.destination)), Text(show.line(one.text))) for one in story.unsent
        ]
        parts += ["", Text("  Not sent", style="dim"), Padding(_grid(unsent), (0, 0, 0, 2))]
    return parts


def _grid(rows: Sequence[tuple[Text, Text]]) -> Table:
    """Return a table of two columns without lines."""
    grid = Table.grid(padding=(0, 2))
    for row in rows:
        grid.add_row(*row)
    return grid


def incident_list(
    records: Sequence[IncidentRecord], silences: Mapping[int, ActiveSilence], show: Presentation
) -> RenderableType:
    """Return a table with one incident per line; `silences` are those in force by the number of the incident."""
    rows: list[list[Text | str]] = [
        [
            str(record.id),
            terminal.styled(
                wording.short_state(record.incident, silences.get(record.id)), STATE_STYLES[record.incident.state]
            ),
            wording.kind(record.incident),
            terminal.shortened(wording.name(record.incident)),
            terminal.shortened(record.details.project or "-"),
            show.when(record.incident.opened_at),
            wording.length(record.incident, show.now),
        ]
        for record in records
    ]
    headings = ["ID", "STATE", "KIND", "NAME", "PROJECT", "OPENED", "DURATION"]
    return terminal.table(headings, rows, flexible=["NAME", "PROJECT"])
