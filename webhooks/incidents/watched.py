"""Incidents about what did not happen: opened by the findings of watches, closed by runs. Pure.

They are a function of the sets of findings, runs and acts, as those about failing refreshes are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from webhooks.incidents.evidence import RunOutcome
from webhooks.incidents.incident import Act, Finding, Incident, IncidentKind
from webhooks.incidents.run import TOLERANCE, Run
from webhooks.incidents.state import finding_of_run, incidents

WATCHED: tuple[IncidentKind, ...] = ("missed", "long", "suspended")
# A run that is found to have come in time closes the incident right after its opening.
AT_ONCE = timedelta(microseconds=1)
ENDED: frozenset[RunOutcome] = frozenset({"succeeded", "failed", "cancelled"})


def watched_incidents(
    kind: IncidentKind, findings: Iterable[Finding], runs: Iterable[Run], acts: Iterable[Act], now: datetime
) -> tuple[Incident, ...]:
    """Return the incidents of a kind of WATCHED of one resource, oldest first; at most the last one is open.

    The order of `findings`, `runs` and `acts` does not matter. Pass all findings of that kind about the resource, and
    its runs since the earliest time that one of them is about.
    """
    found = list(findings)
    return incidents(kind, [*found, *_cures(kind, found, list(runs))], acts, now)


def began(finding: Finding) -> datetime:
    """Return the time that a finding is about: when a missed run was due, or a long one began."""
    return finding.since or finding.at


def _cures(kind: IncidentKind, findings: list[Finding], runs: list[Run]) -> Iterator[Finding]:
    """Yield what each run says about the problems: that there is none any more.

    A refresh was missed until one ends, whatever its outcome, or until one succeeds if the finding asks for that. A
    long run is over when it ends, or a later one has begun. A schedule is suspended until a refresh succeeds.
    """
    problems = [finding for finding in findings if finding.problem]
    for run in runs:
        for problem in problems:
            if not _ends(kind, problem, run):
                continue
            at = run.at
            if at <= problem.at:
                # It came before the finding, and the server has learned of it later.
                at = problem.at + AT_ONCE
            yield finding_of_run(run, at)


def _ends(kind: IncidentKind, problem: Finding, run: Run) -> bool:
    if problem.needs_success and run.outcome != "succeeded":
        return False
    if kind == "long":
        is_later = run.started_at is not None and run.started_at > began(problem) + TOLERANCE
        return run.at > began(problem) and (run.outcome in ENDED or is_later)
    if kind == "suspended":
        return run.at > problem.at
    return run.outcome in ENDED and run.at > began(problem) - TOLERANCE
