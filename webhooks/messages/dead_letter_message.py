"""Write the message about jobs that failed permanently: which, why, and the command that runs them again. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from notifiers import Message
from webhooks.event import Event
from webhooks.job import HANDLER_WORDS, NOTICE, NOTICE_GROUP, SUPERSEDED_NOTICE, Job
from webhooks.messages.event_message import as_text
from webhooks.text import cut

MAX_LISTED = 10
# Jobs in the message of an incident, and characters of each.
MAX_IN_INCIDENT = 3
MAX_LINE = 250
# The handlers that send the messages of rules.
DELIVERIES = {"notify", NOTICE, NOTICE_GROUP, SUPERSEDED_NOTICE}
# The error of a notifier names the destination, which for `default` the job does not: `… slack:#bi (SLACK_CHANNEL). …`.
UNDELIVERED = re.compile(r"Could not deliver to (?P<destination>\S+(?: \(\w+\))?)\. (?P<reason>.+)", re.DOTALL)


def dead_letter_message(
    jobs: Sequence[Job], label: Callable[[Event], str] = lambda _: "", *, total: int = 0
) -> Message:
    """Return one message about all `jobs`, which are the first of `total`.

    `label` returns the name of an event's site if there are several sites.
    """
    total = max(total, len(jobs))
    listed = jobs[:MAX_LISTED]
    events = " ".join(dict.fromkeys(str(job.event.id) for job in listed))
    footer = f"Details: flask events explain {jobs[0].event.id} · Run again: flask events replay --dead {events}"
    if total == 1:
        (job,) = jobs
        facts = {
            "Event": f"{job.event.id} · {as_text(job.event.event_type)}",
            "Rule": job.rule or "",
            "Site": label(job.event),
            "Attempts": str(job.attempts) if job.attempts > 1 else "",
        }
        shown = tuple((name, value) for name, value in facts.items() if value)
        return Message(failed_action(job), reason(job), facts=shown, severity="bad", footer=footer)
    lines = []
    for job in listed:
        site = label(job.event)
        event = f"Event {job.event.id} ({site})" if site else f"Event {job.event.id}"
        rule = f", rule {job.rule}" if job.rule else ""
        lines.append(f"{event}{rule}: {failed_action(job)}. {reason(job)}".rstrip())
    if total > len(listed):
        lines.append(f"… and {total - len(listed)} more: flask events list --state dead")
    return Message(f"{total} actions failed permanently", "\n".join(lines), severity="bad", footer=footer)


def group_title(jobs: Sequence[Job], subject: str, total: int) -> str:
    """Return the title of the incident about `total` dead jobs with one subject; `jobs` are the latest of them."""
    if total == 1 and jobs:
        return failed_action(jobs[0])
    name = subject.removeprefix("to ")
    if name != subject:
        return f"{total} messages could not be delivered to {name.partition(':')[2] or name}"
    return f"{total} jobs failed permanently: {HANDLER_WORDS.get(subject, subject)}"


def group_text(jobs: Sequence[Job], label: Callable[[Event], str] = lambda _: "") -> str:
    """Return the last jobs of an incident with their reasons, and the commands for them; empty without any."""
    listed = jobs[-MAX_IN_INCIDENT:]
    if not listed:
        return ""
    lines = []
    for job in listed:
        event = ", ".join(
            filter(None, [f"Event {job.event.id}", label(job.event), f"rule {job.rule}" if job.rule else ""])
        )
        what = reason(job) if len(jobs) == 1 else f"{failed_action(job)}. {reason(job)}"
        lines.append(f"{event}: {cut(what, MAX_LINE)}")
    last = listed[-1].event.id
    lines += [f"Details: flask events explain {last}", "All: flask events list --state dead"]
    return "\n".join([*lines, f"Run again: flask events replay --dead {last}"])


def failed_action(job: Job) -> str:
    """Return what the job could not do, such as `Could not deliver "Sales" to #bi`."""
    name = as_text(job.event.resource_name) or as_text(job.event.resource_luid) or as_text(job.event.event_type)
    undelivered = _undelivered(job)
    unnamed = "default" if job.handler == "notify" else ""
    destination = undelivered["destination"] if undelivered else str(job.params.get("to") or unnamed)
    if job.handler in DELIVERIES and destination:
        return f'Could not deliver "{name}" to {destination.partition(":")[2] or destination}'
    if job.handler == "planning_failed":
        return f'Could not plan the actions for "{name}"'
    if job.handler == "refresh":
        return f'Could not refresh "{name}"'
    if job.handler in HANDLER_WORDS:
        return f'Failed for "{name}": {HANDLER_WORDS[job.handler]}'
    return f'Could not run {job.handler} for "{name}"'


def reason(job: Job) -> str:
    """Return the job's error without the destination, which `failed_action` names."""
    undelivered = _undelivered(job)
    return undelivered["reason"] if undelivered else job.error or ""


def _undelivered(job: Job) -> re.Match[str] | None:
    return UNDELIVERED.fullmatch(job.error or "") if job.handler in DELIVERIES else None
