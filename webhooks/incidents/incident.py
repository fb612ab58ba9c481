"""Incidents and acts: the values that `state` returns and takes. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from webhooks.incidents.reasons import ReasonClass
from webhooks.incidents.run import Run

# `missed`: nothing ran by its deadline. `long`: running far beyond the usual time. `suspended`: Tableau stopped the
# schedule. The others are about this server: its webhooks, certificate, credential and dead letters; `blind`: it could
# not see what happens in Tableau.
IncidentKind = Literal[
    "failing", "missed", "long", "suspended", "webhook", "certificate", "credential", "dead_letters", "blind"
]
# Those of this server itself, which the monitor finds.
OWN_KINDS: frozenset[IncidentKind] = frozenset({"webhook", "certificate", "credential", "dead_letters", "blind"})
IncidentState = Literal["open", "acknowledged", "snoozed", "closed"]
# Six bytes are an exact number also in JSON; three for what people did, three for everything else.
VERSION_BYTES = 6
ActKind = Literal["acknowledge", "snooze", "close", "note", "refresh", "replay"]


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a person or an agent did about an incident.

    `incident` is the incident's id at that time, and names it for good, also if another id has become the usual one.
    `until` is the end of an acknowledgement (None: until the incident closes) or of a snooze (required). `job_luid` is
    the job that a refresh started in Tableau.
    """

    id: str
    kind: ActKind
    incident: str
    at: datetime
    by: str
    until: datetime | None = None
    text: str = ""
    job_luid: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """Evidence about a problem with one resource: at that time it existed, or it did not.

    `names` identify the evidence for good, `first_name` the one that was recorded first. For the kind `failing` a
    finding is a run; for other kinds it is what a check found: `reason` says what is wrong, or why it is well again.
    `number` is how many problems it is about. A higher `level` than before alerts people again. `since` is when what
    was found began: the time of a missed refresh, the start of a long one. With `needs_success`, only a refresh that
    succeeds ends it.
    """

    site_luid: str
    resource_luid: str
    resource_kind: str
    resource_name: str
    at: datetime
    problem: bool
    names: frozenset[str]
    first_name: str
    recorded: tuple[datetime, int, str]
    reason: str = ""
    reason_class: ReasonClass | None = None
    run: Run | None = None
    number: int = 1
    level: int = 0
    since: datetime | None = None
    needs_success: bool = False

    @classmethod
    def of_check(
        cls,
        resource_luid: str,
        at: datetime,
        *,
        problem: bool,
        name: str = "",
        reason: str = "",
        site_luid: str = "",
        resource_kind: str = "",
        key: str = "",
        number: int = 1,
        level: int = 0,
    ) -> Self:
        """Return what a check found: `name` is the title of the problem, `reason` the text about it.

        `key` identifies the finding; it may be left out if there is one at a time.
        """
        key = key or f"{at.timestamp():.6f} {int(problem)}"
        return cls(
            site_luid=site_luid,
            resource_luid=resource_luid,
            resource_kind=resource_kind,
            resource_name=name,
            at=at,
            problem=problem,
            names=frozenset({key}),
            first_name=key,
            recorded=(at, 0, key),
            reason=reason,
            number=number,
            level=level,
        )


@dataclass(frozen=True, slots=True)
class Span:
    """A period from `start` on and before `end`; None: without an end, as far as is known."""

    start: datetime
    end: datetime | None

    def covers(self, at: datetime) -> bool:
        """Return whether the time is within the period."""
        return self.start <= at and (self.end is None or at < self.end)


@dataclass(frozen=True, slots=True)
class Cure:
    """The reason why an incident closed: a run, a refresh that `by` started through this server, or `by` by hand.

    It is a `finding` if a check found it well again; `text` says why. `recorded_at` is when the server learned of it.
    """

    kind: Literal["run", "refresh", "act", "finding"]
    at: datetime
    recorded_at: datetime
    by: str = ""
    run: Run | None = None
    act: Act | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class OpenSpan(Span):
    """A period in which an incident was open, and what closed it.

    `evidence` names what opened it, which the server learned of at `recorded_at`.
    """

    evidence: str
    recorded_at: datetime
    cure: Cure | None = None


@dataclass(frozen=True, slots=True)
class QuietSpan(Span):
    """A period in which `act`, an acknowledgement or a snooze, was in force."""

    act: Act


@dataclass(frozen=True, slots=True)
class ResourceDetails:
    """The resource of an incident as Tableau described it when it was last asked; empty until then.

    `problem` is a sentence on what could not be looked up. `strikes` is how many failures in a row Tableau counts,
    `downstream` how many workbooks use a data source. `upstream` are the databases that it reads. `tags` and `upstream`
    are None while they are unknown.
    """

    project: str = ""
    owner: str = ""
    link: str = ""
    problem: str = ""
    strikes: int | None = None
    next_run_at: datetime | None = None
    downstream: int | None = None
    tags: tuple[str, ...] | None = None
    upstream: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """A problem with one resource, computed from all evidence and all acts.

    `id` derives from the failure that the server learned of first, so later evidence does not change it, except that
    two incidents may turn out to be one; `ids` are all ids that name it, and an act or a stored incident with any of
    them belongs to it. `failures` counts all failed runs, `in_a_row` those since the last success (as it was when the
    incident closed). `reason` and `reason_class` are those of the last failure whose reason is known.

    While it is acknowledged or snoozed, `quiet_by` did so and `quiet_until` is the end (None: until it closes).
    `open_spans` are the periods in which it was open: more than one if it is `flapping`. `quiet_spans` are those in
    which an acknowledgement or a snooze was in force. `recorded_at` is when the server learned of it. `raised` are the
    times at which it got worse than ever before while it was open, with what was found then.
    """

    id: str
    ids: frozenset[str]
    kind: IncidentKind
    state: IncidentState
    site_luid: str
    resource_luid: str
    resource_kind: str
    resource_name: str
    opened_at: datetime
    closed_at: datetime | None
    recorded_at: datetime
    # When what was found began, such as the time for which a missed refresh was scheduled.
    began_at: datetime | None = None
    failures: int = 0
    in_a_row: int = 0
    first_failure_at: datetime | None = None
    last_failure_at: datetime | None = None
    reason: str = ""
    reason_class: ReasonClass | None = None
    flapping: bool = False
    quiet_until: datetime | None = None
    quiet_by: str = ""
    cure: Cure | None = None
    acts: tuple[Act, ...] = ()
    runs: tuple[Run, ...] = ()
    # For each failure: its time (by the clock of this server), and how many failed in a row up to it.
    rows: tuple[tuple[datetime, int], ...] = ()
    open_spans: tuple[OpenSpan, ...] = ()
    quiet_spans: tuple[QuietSpan, ...] = ()
    raised: tuple[tuple[datetime, str], ...] = ()

    @property
    def is_open(self) -> bool:
        """Return whether the problem persists, acknowledged or not."""
        return self.state != "closed"

    @property
    def version(self) -> int:
        """Return a number that changes with everything that a message shows. Numbers have no order; compare with !=."""
        cure = (self.cure.kind, self.cure.by, *filter(None, [self.cure.text])) if self.cure else None
        notes = [(act.kind, act.by, act.text) for act in self.acts if act.kind in {"note", "refresh", "replay"}]
        quiet = [(span.act.kind, span.act.by, _seconds(span.act.until)) for span in self.quiet_spans]
        times = [_seconds(at) for at in (self.opened_at, self.closed_at, self.quiet_until)]
        facts = (self.state, self.resource_name, self.reason, self.failures, self.in_a_row, self.flapping)
        return version_of((quiet, notes), (facts, times, self.quiet_by, cure))

    def duration(self, now: datetime) -> timedelta:
        """Return the time from the first failure to the closing, or to `now` while it is open."""
        return max((self.closed_at or now) - self.opened_at, timedelta())


def version_of(acts: object, facts: object) -> int:
    """Return the version of a message: its upper half changes with what people did, the lower one with the rest."""
    halves = (hashlib.sha256(repr(value).encode()).digest()[: VERSION_BYTES // 2] for value in (acts, facts))
    return int.from_bytes(b"".join(halves))


def with_facts(version: int, more: int) -> int:
    """Return a version that changes with `more` facts as well."""
    return version ^ more % (1 << 4 * VERSION_BYTES)


def has_new_acts(version: int, shown: int) -> bool:
    """Return whether people have acted between two versions of a message, and wait for it to show that."""
    return (version ^ shown) >> 4 * VERSION_BYTES > 0


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())
