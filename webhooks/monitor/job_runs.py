"""Turn finished jobs of Tableau's job list into evidence about runs, and store it.

The list names a job's content without its LUID, so content is found by its kind and name.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from tableau_rest.job_types import RUN_FLOW_JOB_TYPES
from tableau_rest.models import BackgroundJob
from webhooks.errors import StoreUnavailable
from webhooks.inbox import Inbox
from webhooks.incidents import RunEvidence
from webhooks.incidents.evidence import KINDS, ResourceKind, RunOutcome

log = logging.getLogger(__name__)

# Pieces of evidence in one transaction: acknowledgements wait for it.
LEARN_PAGE = 100
STATUSES: Mapping[str, RunOutcome] = {"Success": "succeeded", "Failed": "failed", "Cancelled": "cancelled"}


class Named(Protocol):
    """Something with a LUID and a name."""

    @property
    def luid(self) -> str: ...

    @property
    def name(self) -> str: ...


class ContentNames:
    """Content by kind and name."""

    def __init__(self) -> None:
        self._by_name: dict[tuple[str, str], set[str]] = {}

    def add(self, kind: ResourceKind, contents: Iterable[Named]) -> None:
        """Add content of that kind."""
        for content in contents:
            self._by_name.setdefault((kind, content.name), set()).add(content.luid)

    def find(self, job: BackgroundJob) -> list[tuple[ResourceKind, str]]:
        """Return the kind and the LUID of all content that the job may be about; one if its name is unique."""
        kind = content_kind(job)
        kinds: tuple[ResourceKind, ...] = (kind,) if kind else ("workbook", "datasource")
        return [(one, luid) for one in kinds for luid in sorted(self._by_name.get((one, job.title), ()))]


def content_kind(job: BackgroundJob) -> ResourceKind | None:
    """Return what kind of content the job refreshes; None if the list does not say so."""
    if job.job_type in RUN_FLOW_JOB_TYPES:
        return "flow"
    # "Workbook" or "Data Source"; other words leave the kind open.
    named = job.subtitle.replace(" ", "").lower()
    return next((kind for kind in KINDS if kind == named), None)


def job_evidence(
    job: BackgroundJob, kind: ResourceKind, luid: str, site_luid: str, now: datetime, *, reason: str = ""
) -> RunEvidence | None:
    """Return what a finished job says about a run of this content; None if it has not ended."""
    outcome = STATUSES.get(job.status)
    if outcome is None or job.ended_at is None:
        return None
    return RunEvidence(
        source="job list",
        site_luid=site_luid.lower(),
        resource_luid=luid.lower(),
        resource_kind=kind,
        outcome=outcome,
        recorded_at=now,
        started_at=job.started_at,
        ended_at=job.ended_at,
        resource_name=job.title,
        reason=reason,
        job_luid=job.luid,
    )


def learn_runs(inbox: Inbox, pieces: Sequence[RunEvidence]) -> None:
    """Store evidence page by page. Raises StoreUnavailable; another error concerns only the content it is about."""
    for start in range(0, len(pieces), LEARN_PAGE):
        page = pieces[start : start + LEARN_PAGE]
        if not _learn(inbox, page):
            for resource in {one.resource for one in page}:
                own = [one for one in page if one.resource == resource]
                if not _learn(inbox, own):
                    log.error("Runs not recorded: jobs=%s", [one.job_luid for one in own])


def _learn(inbox: Inbox, pieces: Iterable[RunEvidence]) -> bool:
    try:
        inbox.incidents.learn(*pieces)
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("Runs from the job list not recorded")
        return False
    return True
