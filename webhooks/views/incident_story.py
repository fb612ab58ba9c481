"""The story of one incident: what happened, in the order of time, and why a destination was not notified."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from webhooks.incidents import Facts, Holds, wanted_notices
from webhooks.incidents.incident import OWN_KINDS
from webhooks.incidents.notices import MESSAGE, WantedNotice, first_release
from webhooks.incidents.silences import FOREVER, ActiveSilence, active_silence
from webhooks.incidents.watched import WATCHED
from webhooks.incidents.wording import STATES, describe
from webhooks.job import ANNOUNCED_TO, DEAD_LETTERS, MISSING, JobState
from webhooks.text import count
from webhooks.views import incident_wording as wording
from webhooks.views.formats import duration, iso
from webhooks.views.incident_objects import incident_object
from webhooks.views.json_objects import Hide, hide_in
from webhooks.views.wording import job_outcome, job_state

if TYPE_CHECKING:
    from webhooks.inbox import Inbox, IncidentRecord, NoticeRecord
    from webhooks.inbox.access.visible import VisibleInbox
    from webhooks.incidents import Run, Silence
    from webhooks.incidents.policy import Policy

# Runs of one incident that are shown.
MAX_RUNS = 500
# Events whose jobs are read for the reason why nothing was sent; the newest ones decide.
MAX_EVENTS = 20
# An edit this soon after the post completes the message, and is no change.
SAME_MOMENT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened; `kind` is the outcome of a run, or notice, reply, act, silence, closed."""

    at: datetime
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """A destination that was not notified, with the reason; an empty destination means all of them."""

    destination: str
    text: str


@dataclass(frozen=True, slots=True)
class Story:
    """An incident with what happened, oldest first, the destinations that were not notified, and its silence now."""

    record: IncidentRecord
    entries: Sequence[Entry]
    unsent: Sequence[Unsent]
    silence: ActiveSilence | None = None


@dataclass(frozen=True, slots=True)
class _Teller:
    record: IncidentRecord
    silences: Sequence[Silence]
    facts: Facts
    now: datetime
    when: wording.When
    address: Callable[[str], str]

    def wanted(self, notice: NoticeRecord) -> list[WantedNotice]:
        notified = [notice.destination] if notice.posted_at else []
        incident = self.record.incident
        return wanted_notices(incident, notice.policy, self.now, self.silences, self.facts, notified=notified)

    def messages(self, notice: NoticeRecord) -> Iterator[Entry]:
        """Yield the message, its last change, and the replies in its thread."""
        to, at, updated = self.address(notice.destination), notice.posted_at, notice.updated_at
        if at is None:
            return
        shared = "" if notice.posted else ", in a message about several incidents"
        yield Entry(at, "notice", f"{to} notified by the rule {notice.rule}{shared}")
        if updated and updated - at > SAME_MOMENT:
            yield Entry(updated, "notice", f"{to}: message last updated")
        for one in self.wanted(notice):
            if one.form == "thread" and one.key in notice.shown:
                yield Entry(one.at, "reply", f"{to}, in the thread: {one.text}")

    def silenced(self) -> Iterator[Entry]:
        """Yield the silences that were in force while the incident was open."""
        incident = self.record.incident
        for silence in Holds.of(incident, None, self.silences, self.facts).silences:
            start = max(silence.start, incident.opened_at)
            overlaps = start <= (incident.closed_at or self.now) and (silence.end is None or silence.end > start)
            if overlaps and (silence.weekly is None or silence.span_at(start)):
                end = f" until {self.when(silence.end)}" if silence.end else ""
                yield Entry(start, "silence", f"silence {silence.id} by {silence.by}{end}: {silence.reason}")
        for silence in self.silences:
            start = max(silence.start, incident.opened_at)
            if silence.span_at(start) and silence.lacks_tags(incident, self.facts):
                yield Entry(start, "silence", f"not silenced by silence {silence.id}: the tags are unknown")

    def why_unsent(self, notice: NoticeRecord, jobs: str) -> str:
        """Return why the destination of a notice was not notified."""
        incident, policy = self.record.incident, notice.policy
        message = next((one for one in self.wanted(notice) if one.key == MESSAGE), None)
        if message is not None and message.held_until is not None:
            return self._held(policy, self.now, message.held_until)
        if message is not None and notice.group_id is not None:
            return "in one message with others, within five minutes"
        if message is not None:
            return jobs or "due now"
        if incident.closed_at:
            return "the incident closed before this destination was due"
        failures = max((one.failures for one in policy.destinations if one.to == notice.destination), default=1)
        if failures > incident.in_a_row:
            return f"from {count(failures, 'failure')} in a row on"
        return self._due(notice)

    def _due(self, notice: NoticeRecord) -> str:
        """Return when a destination will be notified; until when that is held then, and by what."""
        incident, policy = self.record.incident, notice.policy
        release = first_release(
            incident, policy, notice.destination, self.now, silences=self.silences, facts=self.facts
        )
        if release is None or release.due_at == FOREVER:
            return f"it is {incident.state}"
        held = f", {self._held(policy, release.due_at, release.at)}" if release.at > release.due_at else ""
        return f"due {self.when(release.due_at)}{held}, if it is still open and not acknowledged"

    def _held(self, policy: Policy, at: datetime, until: datetime) -> str:
        """Return until when and by what a notice that is due at a time is held."""
        holds = Holds.of(self.record.incident, policy.quiet, self.silences, self.facts)
        end = "it is ended" if until == FOREVER else self.when(until)
        causes = " and ".join(holds.causes(at))
        return f"held until {end}" + (f" by {causes}" if causes else "")


def read_story(
    inbox: Inbox | VisibleInbox,
    record: IncidentRecord,
    *,
    site: str,
    now: datetime,
    when: wording.When,
    address: Callable[[str], str],
) -> Story:
    """Return the story of an incident that `inbox.incidents.get` returned; `site` is the name of its site."""
    incident = record.incident
    silences = inbox.silences.since(incident.opened_at)
    teller = _Teller(record, silences, Facts.of(record.details, site), now, when, address)
    runs = inbox.runs.list(resource_luid=incident.resource_luid, since=incident.opened_at, limit=MAX_RUNS)
    end = incident.closed_at or now
    entries = [_run_entry(run) for run in runs if run.site_luid == incident.site_luid and run.at <= end]
    entries += [Entry(act.at, "act", wording.describe_act(act, when)) for act in incident.acts]
    entries += [entry for notice in record.notices for entry in teller.messages(notice)]
    entries += teller.silenced()
    if incident.kind in OWN_KINDS:
        entries.append(
            Entry(incident.opened_at, "failed", f"{STATES[incident.kind].lower()}: {incident.resource_name}")
        )
        entries += _announced(inbox, record, address)
    if incident.kind in WATCHED:
        entries.append(Entry(incident.opened_at, "failed", f"{STATES[incident.kind].lower()}: {incident.reason}"))
    if incident.closed_at:
        entries.append(Entry(incident.closed_at, "closed", describe(incident)))
    unsent = [
        Unsent(notice.destination, teller.why_unsent(notice, _jobs_of(inbox, record, notice, now)))
        for notice in record.notices
        if notice.posted_at is None
    ]
    if not record.notices and not any(entry.kind == "notice" for entry in entries):
        unsent.append(Unsent("", _why_no_notice(inbox, record, now)))
    silence = active_silence(incident, silences, now, teller.facts)
    return Story(record, sorted(entries, key=lambda entry: entry.at), unsent, silence)


def story_object(story: Story, hide: Hide) -> dict[str, Any]:
    """Return the story as JSON: the incident with its timeline."""
    timeline = [{"at": iso(entry.at), "kind": entry.kind, "text": entry.text} for entry in story.entries]
    unsent = [{"destination": one.destination or None, "reason": one.text} for one in story.unsent]
    masked: dict[str, Any] = hide_in({"timeline": timeline, "unsent": unsent}, hide)
    return incident_object(story.record, hide, story.silence) | masked


def _run_entry(run: Run) -> Entry:
    length = ""
    if run.started_at and run.ended_at and run.ended_at > run.started_at:
        length = f" after {duration((run.ended_at - run.started_at).total_seconds())}"
    reason_class = run.reason_class if run.reason_class != "unknown" else None
    reason = ": ".join(part for part in (reason_class, run.reason) if part)
    return Entry(run.at, run.outcome, f"refresh {run.outcome}{length}" + (f": {reason}" if reason else ""))


def _announced(inbox: Inbox | VisibleInbox, record: IncidentRecord, address: Callable[[str], str]) -> Iterator[Entry]:
    """Yield the messages about dead letters at destinations that cannot edit messages, for which there is no notice."""
    event = inbox.events.get(record.event_id) if record.event_id else None
    noticed = {notice.destination for notice in record.notices}
    if event is None or record.incident.kind != "dead_letters":
        return
    for job in event.jobs:
        announced = inbox.checkpoints.get(job.job, ANNOUNCED_TO) if job.job.handler == DEAD_LETTERS else MISSING
        if not isinstance(announced, Mapping) or not job.attempts_made:
            continue
        for to in announced["notified"]:
            if to not in noticed:
                at = job.attempts_made[-1].finished_at
                yield Entry(at, "notice", f"{address(to)} notified, as [dead_letters] of the rules asks")


def _jobs_of(inbox: Inbox | VisibleInbox, record: IncidentRecord, notice: NoticeRecord, now: datetime) -> str:
    """Return the state of the last job that should notify the destination; empty if none is left."""
    ids = {event_id for run in record.incident.runs for event_id in run.event_ids} | {record.event_id or 0}
    events = filter(None, map(inbox.events.get, sorted(ids - {0})[-MAX_EVENTS:]))
    jobs = [job for event in events for job in event.jobs if job.job.params.get("to") == notice.destination]
    last = max(jobs, key=lambda job: job.job.id, default=None)
    return f"{job_state(last)}: {job_outcome(last, now)}" if last else ""


def _why_no_notice(inbox: Inbox | VisibleInbox, record: IncidentRecord, now: datetime) -> str:
    """Return why no destination has a notice: no rule asks for one, or its jobs have not run or have failed."""
    ids = {event_id for run in record.incident.runs for event_id in run.event_ids}
    if record.event_id and (record.incident.kind in WATCHED or record.incident.kind in OWN_KINDS):
        ids = {record.event_id}
    events = [event for event in map(inbox.events.get, sorted(ids)[-MAX_EVENTS:]) if event]
    if not ids:
        return "it was found in Tableau's history, and not reported by an event that a rule could be about"
    if any(event.state == "received" for event in events):
        return "the failure is not planned yet"
    jobs = [job for event in events for job in event.jobs if job.job.rule]
    open_jobs = [job for job in jobs if job.job.state is not JobState.DONE]
    if not jobs:
        return "no rule notifies of this refresh; flask events explain shows each rule's decision"
    return f"{job_state(open_jobs[-1])}: {job_outcome(open_jobs[-1], now)}" if open_jobs else "the rules send no notice"
