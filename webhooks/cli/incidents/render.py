"""Lay out incidents for people: blocks of lines for the status, a table for the list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from webhooks.cli.support import terminal
from webhooks.cli.support.presentation import Presentation
from webhooks.text import cut
from webhooks.views import incident_wording as wording

if TYPE_CHECKING:
    from webhooks.inbox import IncidentRecord

STATE_STYLES = {"open": "bold red", "acknowledged": "yellow", "snoozed": "yellow", "closed": "green"}
# Characters of a reason on a terminal; `flask incidents show` has all.
MAX_REASON = 160


def incident_blocks(records: Sequence[IncidentRecord], show: Presentation) -> Iterator[RenderableType]:
    """Yield a line for each incident, and below it the details that are known, wrapped at the terminal's width."""
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
        yield Padding(details_line(record, show), (0, 0, 0, max(indent, 4)))


def details_line(record: IncidentRecord, show: Presentation) -> Text:
    """Return the failures, the owner, the reason, who was notified, and who takes care of the incident."""
    incident = record.incident
    reason = show.line(wording.reason(incident))
    notified = wording.notified(record, show.when, show.address)
    parts = [
        wording.failures(incident),
        show.line(record.details.owner),
        cut(reason, MAX_REASON) if terminal.is_terminal() else reason,
        f"notified {notified}" if notified else "",
    ]
    state = show.line(wording.acknowledgement(incident, show.when))
    styled = [(part, "") for part in parts if part] + [(state, "" if incident.state == "open" else "yellow")]
    line = Text()
    for text, style in styled:
        line.append(" · " if line else "", style="dim").append(text, style=style)
    return line


def incident_list(records: Sequence[IncidentRecord], show: Presentation) -> RenderableType:
    """Return a table with one incident per line."""
    rows: list[list[Text | str]] = [
        [
            str(record.id),
            terminal.styled(record.incident.state, STATE_STYLES[record.incident.state]),
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
