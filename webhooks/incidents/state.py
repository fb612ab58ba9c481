"""The state of incidents as a function of the set of runs and acts. Pure.

Open or closed follows from the run with the greatest end time, never from the one that arrived last
(docs/decisions/018-incidents-are-a-function.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from webhooks.incidents.incident import (
    Act,
    Cure,
    Finding,
    Incident,
    IncidentKind,
    IncidentState,
    OpenSpan,
    QuietSpan,
)
from webhooks.incidents.run import TOLERANCE, Run

# A failure this soon after the closing belongs to the same incident.
FLAPPING = timedelta(minutes=30)
# Hexadecimal digits of an id: short enough to be typed.
ID_LENGTH = 12


def state(runs: Iterable[Run], acts: Iterable[Act], now: datetime) -> tuple[Incident, ...]:
    """Return the incidents of one resource of the kind `failing`, oldest first; at most the last one is open.

    The order of `runs` and `acts` does not matter. Acts after `now` are ignored. A cancelled run neither opens nor
    closes an incident. For the incidents after a success that no failure follows within FLAPPING, the runs from that
    success on suffice.
    """
    findings = [finding_of_run(run) for run in runs if run.ended_at and run.outcome in {"failed", "succeeded"}]
    return incidents("failing", findings, acts, now)


def incidents(
    kind: IncidentKind, findings: Iterable[Finding], acts: Iterable[Act], now: datetime
) -> tuple[Incident, ...]:
    """Return the incidents of one kind of one resource, oldest first; at most the last one is open.

    The order of `findings` and `acts` does not matter, nor does it matter if an act is there twice.
    """
    # Of two findings at the same time, the problem is the later one: a false alarm is better than a false all-clear.
    ordered = sorted(findings, key=lambda finding: (finding.at, finding.problem, finding.first_name))
    problems = [finding for finding in ordered if finding.problem]
    named = {incident_id(kind, finding, name): finding.at for finding in problems for name in finding.names}
    # An act refers to a finding, so it is later than that, whatever the clocks of Tableau and of this server say.
    distinct = {act.id: act for act in acts if act.at <= now and act.incident in named}.values()
    timed = [(max(act.at, named[act.incident]), act) for act in distinct]
    timed.sort(key=lambda pair: (pair[0], pair[1].at, pair[1].id))
    history = _History(kind)
    for finding in ordered:
        while timed and timed[0][0] < finding.at:
            history.act(*timed.pop(0))
        history.find(finding)
    for at, act in timed:
        history.act(at, act)
    return tuple(one.build(now) for one in history.drafts)


def incident_id(kind: IncidentKind, finding: Finding, name: str) -> str:
    """Return the id of the incident that this piece of evidence of a problem belongs to."""
    text = f"{kind}\n{finding.site_luid}\n{finding.resource_luid}\n{name}"
    return hashlib.sha256(text.encode()).hexdigest()[:ID_LENGTH]


def finding_of_run(run: Run, at: datetime | None = None) -> Finding:
    """Return what a run says about a problem with its content; at that time instead of its end if one is given."""
    first = run.first_evidence
    return Finding(
        site_luid=run.site_luid,
        resource_luid=run.resource_luid,
        resource_kind=run.resource_kind,
        resource_name=run.resource_name,
        at=at or run.at,
        problem=at is None and run.outcome == "failed",
        names=frozenset(one.key for one in run.deciding),
        first_name=first.key,
        recorded=(first.recorded_at, first.event_id or 0, first.key),
        reason=run.reason,
        reason_class=run.reason_class,
        run=run,
    )


@dataclass(slots=True)
class _Draft:
    """An incident while its findings and acts are read in the order of their times."""

    kind: IncidentKind
    problems: list[Finding] = field(default_factory=list)
    rows: list[tuple[datetime, int]] = field(default_factory=list)
    open_spans: list[OpenSpan] = field(default_factory=list)
    quiet_spans: list[QuietSpan] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    raised: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def closed_at(self) -> datetime | None:
        return self.open_spans[-1].end

    def fail(self, problem: Finding, in_a_row: int) -> None:
        if not self.open_spans or self.closed_at:
            self.open_spans.append(OpenSpan(problem.at, None, problem.first_name, problem.recorded[0]))
        if self.problems and problem.level > max(one.level for one in self.problems):
            self.raised.append((problem.recorded[0], problem.reason or problem.resource_name))
        self.problems.append(problem)
        self.rows.append((min(problem.at, problem.recorded[0]), in_a_row))

    def close(self, cure: Cure) -> None:
        self.open_spans[-1] = replace(self.open_spans[-1], end=cure.at, cure=cure)
        # An acknowledgement holds until the incident closes; a snooze until its time, also if it opens again.
        if self.quiet_spans and self.quiet_spans[-1].act.kind == "acknowledge":
            self._end_quiet(cure.at)

    def add(self, act: Act, at: datetime) -> None:
        """Record an act. One that crosses the closing changes nothing."""
        self.acts.append(act)
        if self.closed_at:
            return
        if act.kind == "close":
            self.close(Cure("act", at, act.at, act.by, act=act))
        elif act.kind in {"acknowledge", "snooze"} and (act.until is None or act.until > at):
            self._end_quiet(at)
            self.quiet_spans.append(QuietSpan(at, act.until, act))

    def _end_quiet(self, at: datetime) -> None:
        if self.quiet_spans and self.quiet_spans[-1].covers(at):
            self.quiet_spans[-1] = replace(self.quiet_spans[-1], end=at)

    def cure(self, finding: Finding) -> Cure:
        """Return what closed the incident: the run itself, or the person who started it through this server."""
        run, failed_at = finding.run, self.problems[-1].at
        if run is None:
            return Cure("finding", finding.at, finding.recorded[0], text=finding.reason)
        for act in reversed(self.acts):
            if act.kind != "refresh":
                continue
            same_job = act.job_luid is not None and act.job_luid == run.job_luid
            other_job = act.job_luid and run.job_luid and not same_job
            begun = run.started_at + TOLERANCE if run.started_at else finding.at
            if same_job or (not other_job and failed_at <= act.at <= begun):
                return Cure("refresh", finding.at, finding.recorded[0], act.by, run, act)
        return Cure("run", finding.at, finding.recorded[0], run=run)

    def build(self, now: datetime) -> Incident:
        """Return the incident as it is at that time."""
        first, last = self.problems[0], self.problems[-1]
        explained = [finding for finding in self.problems if finding.reason] or [last]
        anchor = min(self.problems, key=lambda finding: finding.recorded)
        closed_at = self.closed_at
        quiet = next((span.act for span in self.quiet_spans if span.covers(now) and not closed_at), None)
        state: IncidentState = "closed" if closed_at else "open"
        if quiet:
            state = "acknowledged" if quiet.kind == "acknowledge" else "snoozed"
        return Incident(
            id=incident_id(self.kind, anchor, anchor.first_name),
            ids=frozenset(incident_id(self.kind, one, name) for one in self.problems for name in one.names),
            kind=self.kind,
            state=state,
            site_luid=last.site_luid,
            resource_luid=last.resource_luid,
            resource_kind=last.resource_kind,
            resource_name=last.resource_name,
            opened_at=first.at,
            began_at=first.since,
            closed_at=closed_at,
            recorded_at=anchor.recorded[0],
            failures=sum(one.number for one in self.problems),
            in_a_row=self.rows[-1][1],
            first_failure_at=first.at,
            last_failure_at=last.at,
            reason=explained[-1].reason,
            reason_class=explained[-1].reason_class,
            flapping=len(self.open_spans) > 1,
            quiet_until=quiet.until if quiet else None,
            quiet_by=quiet.by if quiet else "",
            cure=self.open_spans[-1].cure,
            acts=tuple(self.acts),
            runs=tuple(one.run for one in self.problems if one.run),
            rows=tuple(self.rows),
            open_spans=tuple(self.open_spans),
            quiet_spans=tuple(self.quiet_spans),
            raised=tuple(self.raised),
        )


@dataclass(slots=True)
class _History:
    """The incidents of one resource so far, while its findings and acts are read in the order of their times."""

    kind: IncidentKind
    drafts: list[_Draft] = field(default_factory=list)
    by_id: dict[str, _Draft] = field(default_factory=dict)
    in_a_row: int = 0

    def find(self, finding: Finding) -> None:
        """Take a finding into account that is later than all before."""
        current = self.drafts[-1] if self.drafts else None
        if not finding.problem:
            self.in_a_row = 0
            if current and not current.closed_at:
                current.close(current.cure(finding))
            return
        self.in_a_row += 1
        if current is None or (current.closed_at and finding.at - current.closed_at > FLAPPING):
            current = _Draft(self.kind)
            self.drafts.append(current)
        current.fail(finding, self.in_a_row)
        self.by_id.update(dict.fromkeys((incident_id(self.kind, finding, name) for name in finding.names), current))

    def act(self, at: datetime, act: Act) -> None:
        """Take an act into account that is later than the finding it refers to."""
        if draft := self.by_id.get(act.incident):
            draft.add(act, at)
