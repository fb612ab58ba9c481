"""Catches up: finds out what Tableau did while nothing reached us, and makes the events that were missed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from tableau_rest.errors import NotFound, TableauError
from tableau_rest.models import Datasource, Workbook
from tableau_rest.protocol.query import where
from webhooks.clock import from_timestamp
from webhooks.event import RECONCILED
from webhooks.event_types import content_event_type, event_type, refresh_event_type
from webhooks.inbox import EventSummary, Inbox, Resource
from webhooks.monitor.missed import (
    EndedRefresh,
    ListedContent,
    MissedEvent,
    content_changes,
    has_event,
    was_received,
)

if TYPE_CHECKING:
    from tableau_rest import Tableau

log = logging.getLogger(__name__)

CURSOR = "reconcile"
GRACE = timedelta(minutes=3)
"""What is younger may still come by itself: Tableau tries four times, and its job list lags behind."""
DOWNTIME = timedelta(minutes=15)
"""A gap after which everything is listed, so that what is gone is noticed as well."""
LIST_ALL = timedelta(hours=6)
FURTHEST = timedelta(days=7)
"""After a longer downtime nobody wants to hear of it all."""
MOST_JOBS = 200
"""Jobs asked for one by one in a round; the site has 20,000 such calls a day for everybody."""
MARGIN = timedelta(hours=1)
KINDS = ("workbook", "datasource")
REFRESHES = ("refresh_extracts", "increment_extracts")


@dataclass(frozen=True, slots=True)
class Span:
    """What a round is about: from `since` on, before `until`; `whole` lists all content. `listed` is when that was
    last done."""

    since: datetime
    until: datetime
    listed: datetime
    whole: bool


class Reconciler:
    """`look` is one round for one site, which `key` tells from others; it may be called by one process at a time."""

    def __init__(
        self,
        inbox: Inbox,
        tableau: Callable[[], Tableau],
        wanted: Collection[str],
        *,
        key: str = "",
        grace: timedelta = GRACE,
    ) -> None:
        self._inbox, self._tableau, self._wanted, self._grace = inbox, tableau, frozenset(wanted), grace
        self._cursor = CURSOR + key
        self._first = True

    def look(self, now: datetime) -> None:
        """Makes what was missed since the last round. The first round ever only takes note of what is there."""
        try:
            span = self._span(now)
            until = self._catch_up(span) if span else self._begin(now)
        except TableauError as error:
            log.warning("What was missed could not be looked for this time: %s", error)
            return
        self._first = False
        listed = now if span is None or span.whole else span.listed
        self._inbox.state.set(self._cursor, {"until": until.timestamp(), "listed": listed.timestamp()})

    def _span(self, now: datetime) -> Span | None:
        noted = self._inbox.state.get(self._cursor)
        if noted is None:
            return None
        since = max(from_timestamp(noted["until"]), now - FURTHEST)
        listed = from_timestamp(noted["listed"])
        until = max(self._settled(now), since)
        whole = self._first or until - since > DOWNTIME or now - listed > LIST_ALL
        return Span(since, until, listed, whole)

    def _settled(self, now: datetime) -> datetime:
        """A whole second, as Tableau's times are: what happened before it is all there to be seen."""
        return (now - self._grace).replace(microsecond=0)

    def _begin(self, now: datetime) -> datetime:
        until = self._settled(now)
        self._remember_people()
        for kind in KINDS:
            self._remember(self._list(kind, None), until)
        return until

    def _catch_up(self, span: Span) -> datetime:
        """Makes the missed events; gives the time until which all is accounted for.

        Only then is remembered what is there now: whoever dies in between finds it all again, and makes nothing twice.
        """
        arrivals = self._arrivals(min(span.since, span.listed) - MARGIN)
        if span.whole:
            self._remember_people()
        ended = self._ended(span)
        happenings, until = self._refreshes(ended, arrivals, span.until)
        listed: list[Workbook | Datasource] = []
        for kind in KINDS:
            found, there = self._contents(kind, span, ended)
            happenings += found
            listed += there
        self._make(one for one in happenings if one.event_type in self._wanted and not was_received(one, arrivals))
        self._remember(listed, span.until)
        self._inbox.resources.mark_deleted([one.luid for one in happenings if event_type(one.event_type).content_gone])
        return until

    def _arrivals(self, since: datetime) -> list[EventSummary]:
        """Of this site, and of those that do not say of which: another one may have content of the same name."""
        site = self._site().lower()
        return [one for one in self._inbox.events.received_since(since) if str(one.site_luid or site).lower() == site]

    def _contents(
        self, kind: str, span: Span, ended: list[EndedRefresh]
    ) -> tuple[list[MissedEvent], list[Workbook | Datasource]]:
        """What became of the workbooks or data sources, and those that are listed."""
        known = self._inbox.resources.on_site(self._site(), kind)
        listed = self._list(kind, None if span.whole else span.since)
        seen = [ListedContent(kind, one.luid, one.name, one.created_at, one.updated_at) for one in listed]
        found = content_changes(seen, known, ended, since=span.since, until=span.until)
        if span.whole:
            found += self._gone(kind, known.keys() - {one.luid for one in listed}, known, span.until)
        return found, listed

    def _gone(
        self, kind: str, missing: Iterable[str], known: dict[str, Resource], until: datetime
    ) -> list[MissedEvent]:
        """What Tableau itself says is not there; a list alone may be incomplete."""
        lost = sorted(luid for luid in missing if self._is_gone(kind, luid))
        deleted = content_event_type(kind, "deleted").name
        return [MissedEvent(deleted, luid, known[luid].name, until) for luid in lost]

    def _is_gone(self, kind: str, luid: str) -> bool:
        tableau = self._tableau()
        try:
            (tableau.workbook if kind == "workbook" else tableau.datasource)(luid)
        except NotFound:
            return True
        return False

    def _ended(self, span: Span) -> list[EndedRefresh]:
        """The refreshes that ended in the span, oldest first."""
        listed = self._tableau().jobs(where("jobType", "in", REFRESHES), where("completedAt", "gte", span.since))
        found = [
            EndedRefresh(job.luid, _kind(job.subtitle), job.title, job.status == "Success", job.ended_at)
            for job in listed
            if job.status in {"Success", "Failed"} and job.ended_at and span.since <= job.ended_at < span.until
        ]
        return sorted(found, key=lambda one: one.at)

    def _refreshes(
        self, ended: list[EndedRefresh], arrivals: list[EventSummary], until: datetime
    ) -> tuple[list[MissedEvent], datetime]:
        """The refreshes that no event told of, and until when that is all: one job is asked for after the other, at
        most so many. Those found now are known in the next round, so it gets on in any case."""
        missed = [one for one in ended if self._wanted.intersection(one.event_types) and not has_event(one, arrivals)]
        if len(missed) > MOST_JOBS:
            log.warning("%d refreshes were missed; the first %d now, the rest next time", len(missed), MOST_JOBS)
            until = missed[MOST_JOBS].at
        return [found for one in missed[:MOST_JOBS] if (found := self._refresh(one))], until

    def _refresh(self, one: EndedRefresh) -> MissedEvent | None:
        try:
            content = self._tableau().job(one.job_luid).content
        except NotFound:
            return None
        if content is None or content.kind not in KINDS:
            return None
        return MissedEvent(refresh_event_type(content.kind, one.outcome).name, content.luid, one.name, one.at)

    def _make(self, happenings: Iterable[MissedEvent]) -> None:
        site = self._site()
        for one in sorted(happenings, key=lambda one: one.at):
            receipt = self._inbox.synthetic_events.add(one.event(site), RECONCILED, one.at)
            if not receipt.duplicate:
                log.info("Missed and made up for: %s %r as event %s", one.event_type, one.name, receipt.id)

    # Remembering what is there.

    def _site(self) -> str:
        return self._tableau().session().site_luid

    def _list(self, kind: str, since: datetime | None) -> list[Workbook | Datasource]:
        tableau = self._tableau()
        ask = tableau.workbooks if kind == "workbook" else tableau.datasources
        return list(ask(where("updatedAt", "gte", since))) if since else list(ask())

    def _remember(self, contents: Iterable[Workbook | Datasource], until: datetime) -> None:
        """As far as they are accounted for; what is newer is still to be compared with what was before."""
        old = [one for one in contents if (at := one.updated_at or one.created_at) is None or at < until]
        self._inbox.resources.save([self._resource(one) for one in old])

    def _resource(self, one: Workbook | Datasource) -> Resource:
        owner = self._inbox.resources.get(one.owner.luid) if one.owner.luid else None
        updated = one.updated_at.timestamp() if one.updated_at else None
        name = owner.name if owner else one.owner.name
        return Resource(one.luid, one.kind, self._site(), one.name, name, one.project.name, updated)

    def _remember_people(self) -> None:
        """So that a deletion can name the owner as people know them. A connected app may not be allowed to look."""
        site = self._site()
        with suppress(TableauError):
            people = [
                (user.luid, user.full_name or user.name, user.email or user.name) for user in self._tableau().users()
            ]
            self._inbox.resources.save(
                Resource(luid, "user", site, name if name == mail or not mail else f"{name} ({mail})")
                for luid, name, mail in people
            )


def _kind(subtitle: str) -> str:
    """`workbook` or `datasource`, from the job's subtitle; empty where that says something else."""
    word = subtitle.replace(" ", "").lower()
    return word if word in KINDS else ""
