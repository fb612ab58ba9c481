"""Lay out the status for people: one line of figures, then two lines or more per open incident."""

from __future__ import annotations

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from webhooks.cli.incidents.render import incident_blocks
from webhooks.cli.support.presentation import Presentation
from webhooks.text import count
from webhooks.views.status import Status, summary

HEALTH_STYLES = {"healthy": "green", "unhealthy": "bold red", "unknown": "yellow"}


def status_page(status: Status, show: Presentation) -> list[RenderableType]:
    """Return the summary, the services that are unavailable, the dead letters, and the open incidents."""
    incidents, refreshes, webhooks = summary(status)
    unacknowledged = status.counts["open"]
    line = Text(" · ").join(
        [
            Text(incidents, style="bold red" if unacknowledged else "yellow" if status.open else "green"),
            Text(refreshes),
            Text(webhooks, style=HEALTH_STYLES[status.webhooks.state]),
        ]
    )
    unavailable = [
        Text(show.line(f"{service.name}: {service.describe(show.when)}"), style="bold red")
        for service in status.unavailable or ()
    ]
    parts: list[RenderableType] = [line, *unavailable]
    if status.dead_letters:
        # Also without [dead_letters] in the rules, which opens an incident about them.
        words = f"{count(status.dead_letters, 'dead letter')}: flask events list --state dead"
        parts.append(Text(words, style="bold red"))
    parts += incident_blocks(status, show)
    left = status.open - len(status.incidents)
    if left > 0:
        parts.append(Padding(Text(f"{left} more: flask incidents list --limit 0", style="dim"), (0, 0, 0, 2)))
    return parts
