"""Look up the databases that content reads, so that failures because of one of them can share a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tableau_rest.errors import TableauError
from tableau_rest.transport import Timeouts
from webhooks.forks import Lock
from webhooks.text import cut

if TYPE_CHECKING:
    from tableau_rest import Tableau
    from tableau_rest.models import Connection

# A message may wait for it, so that a slow server delays it by seconds only.
TIMEOUTS = Timeouts(connect=2.0, read=3.0, total=3.0)
# Connections are changed by publishing content again; a refusal, such as of a disabled Metadata API, may pass sooner.
MAX_AGE, REFUSAL_AGE = timedelta(hours=1), timedelta(minutes=10)
# Values that are stored for a site; then all are removed.
MAX_STORED = 2000
MAX_NAME = 200
# The type of a workbook's connection to a published data source, which has the connection to the database.
PUBLISHED = "sqlproxy"
# Published data sources of one workbook that are followed.
MAX_FOLLOWED = 5

_known: WeakKeyDictionary[Tableau, dict[str, tuple[datetime, tuple[str, ...] | None]]] = WeakKeyDictionary()
# Until when the Metadata API is not asked again.
_refused: WeakKeyDictionary[Tableau, datetime] = WeakKeyDictionary()
_lock = Lock()


def find_upstream(kind: str, luid: str, tableau: Tableau, now: datetime) -> tuple[str, ...] | None:
    """Return the servers of the databases that a workbook, data source or flow reads; None if Tableau does not say.

    The Metadata API is asked first, then the connections of the content. Raises nothing: messages go without it.
    """
    with _lock:
        stored = _known.setdefault(tableau, {})
        if len(stored) > MAX_STORED:
            stored.clear()
        at, known = stored.get(luid, (None, None))
    if at is not None and now - at < (REFUSAL_AGE if known is None else MAX_AGE):
        return known
    found = _by_metadata(kind, luid, tableau, now)
    if not found and kind != "flow":
        try:
            found = _names(connection.server for connection in _connections(kind, luid, tableau))
        except TableauError:
            found = None
    with _lock:
        stored[luid] = (now, found)
    return found


def _by_metadata(kind: str, luid: str, tableau: Tableau, now: datetime) -> tuple[str, ...] | None:
    if now < _refused.get(tableau, now):
        return None
    try:
        databases = tableau.upstream_databases(kind, luid, timeouts=TIMEOUTS)
    except TableauError as error:
        if error.permanent:
            _refused[tableau] = now + REFUSAL_AGE
        return None
    return _names(database.host or database.name for database in databases if database.is_server)


def _connections(kind: str, luid: str, tableau: Tableau) -> Iterator[Connection]:
    """Yield the connections to databases, those of published data sources included."""
    if kind == "datasource":
        yield from tableau.datasource_connections(luid, timeouts=TIMEOUTS)
        return
    followed = 0
    for connection in tableau.workbook_connections(luid, timeouts=TIMEOUTS):
        if connection.type != PUBLISHED:
            yield connection
        elif connection.datasource.luid and followed < MAX_FOLLOWED:
            followed += 1
            yield from tableau.datasource_connections(connection.datasource.luid, timeouts=TIMEOUTS)


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Return each name once; those of servers differ in case only by mistake. Files have none."""
    return tuple(sorted({cut(name.strip().rstrip(".").lower(), MAX_NAME) for name in names if name.strip()}))
