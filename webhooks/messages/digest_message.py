"""Write the daily digest: what is open, what has closed since the last one, and how many refreshes succeeded. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo

from notifiers import Link, Message, Table, Timestamp
from webhooks.messages.group_message import COLUMNS, LIST_COMMAND, Member, group_severity, table_rows
from webhooks.text import count


def digest_message(
    members: Sequence[Member],
    *,
    since: datetime,
    outcomes: Mapping[str, int],
    complete: bool = True,
    zone: tzinfo = UTC,
    page: str = "",
) -> Message:
    """Return the digest about these incidents: those that are open, and those closed since `since`.

    `outcomes` are the numbers of refreshes since then. Not `complete`: there are more incidents than these. `page` is
    the address of the list of incidents, if there is one.
    """
    active = [one.incident for one in members if one.incident.is_open]
    acknowledged = sum(one.state != "open" for one in active)
    more = "" if complete else "at least "
    parts = [f"{more}{count(len(active), 'open incident')}" if active else "no open incidents"]
    parts += [f"{acknowledged} acknowledged or snoozed"] if acknowledged else []
    silenced = sum(one.details.silence is not None for one in members)
    parts += [f"{silenced} silenced"] if silenced else []
    parts.append(f"{more}{len(members) - len(active)} closed since the last digest")
    ended = outcomes.get("succeeded", 0) + outcomes.get("failed", 0)
    refreshes = f"{outcomes.get('succeeded', 0)} of {ended} succeeded" if ended else "none known"
    sentence = ", ".join(parts)
    link = Link(page, "All incidents") if page else None
    return Message(
        title=f"Digest: {count(len(active), 'open incident') if active else 'no open incidents'}",
        text=f"{sentence[0].upper()}{sentence[1:]}.",
        facts=(("Since", Timestamp(since, zone)), ("Refreshes", refreshes)),
        severity=group_severity([one.incident for one in members]),
        footer=f"All incidents: {LIST_COMMAND}",
        table=Table(COLUMNS, table_rows(members, zone), link=link) if members else None,
    )
