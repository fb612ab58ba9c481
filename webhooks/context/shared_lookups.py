"""Responses of Tableau that the jobs of a process share, so that many failures at once cause few requests.

Content is reused by the jobs of one event, and for refreshes, which do not change it, for five minutes. If refreshes of
several workbooks or data sources wait to be notified, one list answers for all of them, and one list of failed jobs
replaces a search for each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote
from weakref import WeakKeyDictionary

from tableau_rest.errors import BadRequest, TableauError
from tableau_rest.protocol.query import is_expressible, where
from webhooks.context.under_way import RequestsUnderWay
from webhooks.errors import Permanent
from webhooks.event import Event
from webhooks.forks import Lock

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import BackgroundJob, Job, User

T = TypeVar("T")

# Owners, projects and addresses change rarely.
MAX_AGE = timedelta(minutes=5)
# A list of jobs may lag behind the webhooks by seconds.
JOBS_MAX_AGE = timedelta(seconds=2)
# From this many waiting resources on, a list is requested instead of each.
LEAST_LISTED = 3
# Characters of names in one request; proxies limit the length of an address, often to 8,000 bytes.
MAX_NAMES_LENGTH = 1500
MAX_ITEMS = 1000
# Values of one kind that are stored for a site; then those that are too old are removed.
MAX_STORED = 2000
# Each reservation is a write; a process that ends loses what it has not used.
QUERIES_AT_ONCE = 20
WITH_LIST = ("workbook", "datasource")


class QueriesExhausted(Permanent):
    """A site's queries of jobs are used up for now."""


@dataclass(frozen=True, slots=True)
class Stored(Generic[T]):
    """A value, and when it was requested."""

    value: T
    at: datetime


class SharedLookups:
    """The shared responses of one site. Thread-safe."""

    def __init__(self) -> None:
        # One thread requests a list and the others wait for it, as long as a call of Tableau may take.
        self._requesting_content, self._requesting_jobs = Lock(), Lock()
        self.requesting_projects, self.requesting_schedules = Lock(), Lock()
        self._under_way = RequestsUnderWay()
        self._content: dict[str, Stored[Any]] = {}
        self._users: dict[str, Stored[User]] = {}
        self._jobs: Stored[tuple[BackgroundJob, ...]] | None = None
        # The jobs by their LUID, and by the content and the time of the event that they belong to.
        self._details: dict[str, Stored[Job]] = {}
        self._failed: dict[str, Stored[Job]] = {}
        self._accepts_names = True
        # Queries of jobs that are reserved and not used yet.
        self._queries = 0

    def content(
        self,
        tableau: Tableau,
        kind: str,
        luid: str,
        *,
        now: datetime,
        not_before: datetime,
        waiting: Callable[[], Collection[str]],
    ) -> Any:
        """Return the workbook, data source, view or flow with this LUID, as it was at `not_before` or later.

        `waiting` returns the names of resources of this kind that are going to be looked up. Raises TableauError.
        """
        key = f"{kind} {luid.lower()}"
        if kind in WITH_LIST and self._accepts_names:
            with self._requesting_content:
                if found := _usable(self._content, key, not_before):
                    return found.value
                names = _names(waiting())
                if len(names) >= LEAST_LISTED:
                    self._list(tableau, kind, names, now)
        if found := _usable(self._content, key, not_before):
            return found.value

        def request() -> Any:
            return _store(self._content, key, getattr(tableau, kind)(luid), now).value

        return self._under_way.share(key, request, now=now, not_before=not_before)

    def knows_content(self, kind: str, luid: str, not_before: datetime) -> bool:
        """Return whether `content` sends no request."""
        return _usable(self._content, f"{kind} {luid.lower()}", not_before) is not None

    def user(self, tableau: Tableau, luid: str, now: datetime) -> User:
        """Return a user, as known for at most five minutes. Raises TableauError."""
        key = luid.lower()
        if found := _usable(self._users, key, now - MAX_AGE):
            return found.value

        def request() -> User:
            return _store(self._users, key, tableau.user(luid), now).value

        return self._under_way.share(f"user {key}", request, now=now, not_before=now - MAX_AGE)

    def knows_user(self, luid: str, now: datetime) -> bool:
        """Return whether `user` sends no request."""
        return _usable(self._users, luid.lower(), now - MAX_AGE) is not None

    def failed_job(
        self,
        tableau: Tableau,
        luid: str,
        *,
        name: str,
        at: datetime,
        now: datetime,
        waiting: Callable[[], Collection[str]],
        take_queries: Callable[[int], bool] = lambda _: True,
    ) -> Job | None:
        """Return the failed refresh behind an event, as `Tableau.failed_job` does.

        `take_queries` reserves a number of queries of jobs, and returns whether the site has so many left. Raises
        QueriesExhausted if it has not, and TableauError.
        """
        key = f"{luid.lower()} {at.isoformat()}"
        if found := _usable(self._failed, key, now - MAX_AGE):
            return found.value

        def details(job_luid: str) -> Job:
            return self._job(tableau, job_luid, now, take_queries)

        def find() -> Job | None:
            with self._requesting_jobs:
                listed = self._jobs
                if listed is None or now - listed.at > JOBS_MAX_AGE:
                    self._reserve(take_queries, 2)
                    listed = self._jobs = self._list_jobs(tableau, now) if len(waiting()) >= LEAST_LISTED else None
            if listed is None:
                job = tableau.failed_job(luid, at=at, name=name, details=details)
            else:
                job = tableau.failed_job(luid, at=at, name=name, listed=listed.value, details=details)
            if job is not None:
                _store(self._failed, key, job, now)
            return job

        # Not one that has begun before: its list may not show the job yet.
        return self._under_way.share(f"failed {key}", find, now=now, not_before=now - JOBS_MAX_AGE)

    def _job(self, tableau: Tableau, luid: str, now: datetime, take_queries: Callable[[int], bool]) -> Job:
        """Return a job, as known for at most five minutes. Raises QueriesExhausted and TableauError."""
        if known := _usable(self._details, luid.lower(), now - MAX_AGE):
            return known.value

        def request() -> Job:
            self._reserve(take_queries, 1)
            return _store(self._details, luid.lower(), tableau.job(luid), now).value

        return self._under_way.share(f"job {luid.lower()}", request, now=now, not_before=now - MAX_AGE)

    def _reserve(self, take_queries: Callable[[int], bool], number: int) -> None:
        """Reserve queries, many at a time. Raises QueriesExhausted."""
        if self._queries < number:
            if not take_queries(QUERIES_AT_ONCE):
                raise QueriesExhausted(
                    "the server has used its share of the queries of jobs that Tableau allows an hour"
                )
            self._queries += QUERIES_AT_ONCE
        self._queries -= number

    def _list(self, tableau: Tableau, kind: str, names: Iterable[str], now: datetime) -> None:
        """Request all content with these names, and store it; what is missing then is requested by its LUID."""
        request: Callable[..., Iterable[Any]] = tableau.workbooks if kind == "workbook" else tableau.datasources
        try:
            for content in islice(request(where("name", "in", names), page_size=MAX_ITEMS), MAX_ITEMS):
                _store(self._content, f"{kind} {content.luid.lower()}", content, now)
        except BadRequest:
            # A server that does not know this filter.
            self._accepts_names = False
        except TableauError as error:
            if not error.permanent:
                raise

    @staticmethod
    def _list_jobs(tableau: Tableau, now: datetime) -> Stored[tuple[BackgroundJob, ...]]:
        """Return the failed refreshes of a day, the newest ones if there are very many."""
        filters = [where("status", "eq", "Failed"), where("createdAt", "gt", now - timedelta(hours=24))]
        listed = tableau.refresh_jobs(*filters, sort="createdAt:desc", page_size=MAX_ITEMS)
        return Stored(tuple(islice(listed, MAX_ITEMS)), now)


def not_before(event: Event, now: datetime) -> datetime:
    """Return the time from which on content is as an event of now needs it.

    A refresh does not change what it refreshes. Any other event may report the very change.
    """
    return now - MAX_AGE if event.type.refresh else event.received_at or now


_sites: WeakKeyDictionary[Tableau, SharedLookups] = WeakKeyDictionary()
_creating = Lock()


def shared_lookups(tableau: Tableau) -> SharedLookups:
    """Return what the jobs of this process share about the client's site."""
    with _creating:
        found = _sites.get(tableau)
        if found is None:
            found = _sites[tableau] = SharedLookups()
        return found


def _usable(stored: dict[str, Stored[T]], key: str, not_before: datetime) -> Stored[T] | None:
    found = stored.get(key)
    return found if found and found.at >= not_before else None


def _store(stored: dict[str, Stored[T]], key: str, value: T, now: datetime) -> Stored[T]:
    if len(stored) >= MAX_STORED:
        for old in [name for name, one in list(stored.items()) if now - one.at > MAX_AGE] or list(stored):
            stored.pop(old, None)
    stored[key] = Stored(value, now)
    return stored[key]


def _names(waiting: Collection[str]) -> list[str]:
    """Return the names that one request can contain; a filter cannot express all names."""
    names: list[str] = []
    length = 0
    for name in dict.fromkeys(waiting):
        length += len(quote(name)) + 1
        if length > MAX_NAMES_LENGTH:
            break
        if is_expressible(name) and not set(name) & set("[]"):
            names.append(name)
    return names
