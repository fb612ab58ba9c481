"""The buttons and the menu of a message about an incident: which it has, and what they are about. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from notifiers import Button, Link
from webhooks.clock import from_timestamp
from webhooks.incidents import Act, Incident

ACKNOWLEDGE, SNOOZE, SNOOZE_UNTIL = "incident_acknowledge", "incident_snooze", "incident_snooze_until"
REFRESH, WHY = "incident_refresh", "incident_why"
ACTIONS = frozenset({ACKNOWLEDGE, SNOOZE, SNOOZE_UNTIL, REFRESH, WHY})
SNOOZE_TIME = timedelta(hours=1)
OPEN = "Open incident"
# The kinds of content that can be refreshed.
REFRESHABLE = frozenset({"workbook", "datasource", "flow"})
VALUE = re.compile(r"([0-9]{1,18}) ([0-9a-f]{1,64})(?: ([0-9]{1,11}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ButtonTarget:
    """The incident that a button is about: its number and its id, and the end of the snooze that it offers."""

    number: int
    incident: str
    until: datetime | None = None

    def __str__(self) -> str:
        """Return the value of the button."""
        return f"{self.number} {self.incident}" + (f" {int(self.until.timestamp())}" if self.until else "")

    @classmethod
    def parse(cls, value: str) -> ButtonTarget | None:
        """Return the target of a button with this value; None if it is none of ours."""
        found = VALUE.fullmatch(value)
        if found is None:
            return None
        return cls(int(found[1]), found[2], from_timestamp(int(found[3])) if found[3] else None)


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions that a message offers: `buttons` are always shown, the entries of `menu` on demand."""

    buttons: tuple[Button, ...] = ()
    menu: tuple[Button | Link, ...] = ()


NO_ACTIONS = Actions()


def incident_actions(
    incident: Incident,
    number: int,
    now: datetime,
    *,
    next_run_at: datetime | None = None,
    may_refresh: bool = False,
    page: str = "",
) -> Actions:
    """Return the actions that make sense in the incident's state.

    `may_refresh`: the rules name operators. `page` is the address of the incident's page, if it has one.
    """
    value = str(ButtonTarget(number, incident.id))
    style: Literal["", "primary"] = "primary" if incident.state == "open" else ""
    is_quiet = incident.state not in {"open", "snoozed"}
    buttons = () if is_quiet else (Button("Acknowledge", ACKNOWLEDGE, value, style),)
    menu: list[Button | Link] = []
    if incident.state == "open":
        menu.append(Button("Snooze 1 h", SNOOZE, value))
        # Tableau may have been asked before the last run.
        if next_run_at is not None and next_run_at > now:
            until = str(ButtonTarget(number, incident.id, next_run_at))
            menu.append(Button("Snooze until the next run", SNOOZE_UNTIL, until))
    if incident.is_open and may_refresh and incident.resource_kind in REFRESHABLE:
        menu.append(Button("Refresh again", REFRESH, value))
    if page:
        menu.append(Link(page, OPEN))
    return Actions(buttons, (*menu, Button("Why?", WHY, value)))


def act_of_button(action: str, target: ButtonTarget, by: str, now: datetime) -> Act | None:
    """Return the act of a press that is carried out at once; None if it has none, or if its time is over."""
    if action == ACKNOWLEDGE:
        return Act("", "acknowledge", target.incident, now, by)
    until = target.until if action == SNOOZE_UNTIL else now + SNOOZE_TIME
    if action not in {SNOOZE, SNOOZE_UNTIL} or until is None or until <= now:
        return None
    return Act("", "snooze", target.incident, now, by, until)
