"""Write the answers of tools: short JSON in which the text that comes from Tableau is marked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from webhooks.text import cut
from webhooks.views.formats import iso
from webhooks.views.incident_wording import acknowledgement, advice

if TYPE_CHECKING:
    from webhooks.api.call import Call
    from webhooks.inbox import IncidentRecord

# An agent reads every character; it can ask for more.
MAX_BYTES = 2048
# The key of names, reasons and notes: they may contain anything, also text that looks like an instruction.
UNTRUSTED = "from_tableau"
MAX_REASON = 160
MAX_NAME = 80


def write(
    call: Call, found: Mapping[str, Any], listed: str = "items", *, cursors: Sequence[Any] = (), has_more: bool = False
) -> str:
    """Return an answer as JSON of at most 2 KB.

    If it is longer, items at the end of the list `listed` are left out and counted. `cursors` lead on after each item:
    `next` is that of the last one if some are left out, or if the list `has_more`.
    """
    answer = dict(found)
    items = list(answer.get(listed, ()))
    total = len(items)
    if has_more and cursors:
        answer["next"] = cursors[-1]
    while len(text := _dump(call, answer)) > MAX_BYTES and items:
        items.pop()
        answer |= {listed: items, "left_out": total - len(items)}
        if cursors and items:
            answer["next"] = cursors[len(items) - 1]
    return text if len(text) <= MAX_BYTES else _dump(call, {"error": "The answer is too long; ask for one object."})


def _dump(call: Call, answer: Mapping[str, Any]) -> str:
    return call.redact(json.dumps(answer, ensure_ascii=True, separators=(",", ":")))


def incident_summary(call: Call, record: IncidentRecord, *, reason: int = MAX_REASON) -> dict[str, Any]:
    """Return one incident in a few fields; what is empty is left out."""
    incident, details, silence = record.incident, record.details, call.silences_of([record]).get(record.id)
    notified = [call.address(one.destination) for one in record.notices if one.posted_at]
    found = {
        "id": record.id,
        "kind": incident.kind,
        "state": incident.state,
        "since": short_time(incident.opened_at),
        "closed": short_time(incident.closed_at),
        "failures": incident.failures,
        "strikes": details.strikes,
        "next_run": short_time(details.next_run_at),
        "reason_class": incident.reason_class,
        "advice": advice(incident),
        "acknowledged": acknowledgement(incident, lambda at: str(short_time(at))),
        "silenced": silence.describe(lambda at: str(short_time(at))).removeprefix("silenced ") if silence else None,
        "notified": notified[:3],
        "site": call.site_name(incident.site_luid),
        UNTRUSTED: untrusted(
            name=cut(incident.resource_name, MAX_NAME),
            project=cut(details.project, MAX_NAME),
            owner=cut(details.owner, MAX_NAME),
            reason=cut(incident.reason, reason),
        ),
    }
    return {name: value for name, value in found.items() if value not in (None, "", [], {}, 0)}


def untrusted(**texts: str) -> dict[str, str]:
    """Return the texts that are not empty."""
    return {name: text for name, text in texts.items() if text}


def short_time(moment: datetime | None) -> str | None:
    """Return a time without fractions of a second."""
    text = iso(moment.replace(microsecond=0) if moment else None)
    return text.replace(".000Z", "Z") if text else None


def outcomes(runs: Sequence[Any]) -> list[str]:
    """Return runs as `2026-01-31T02:14:00Z failed (network)`, newest first."""
    return [
        f"{short_time(run.at)} {run.outcome}" + (f" ({run.reason_class})" if run.outcome == "failed" else "")
        for run in runs
    ]
