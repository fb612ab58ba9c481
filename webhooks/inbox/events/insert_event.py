"""SQL that stores events, written by hand: compiling a statement would take as long as running it."""

from __future__ import annotations

from functools import cache

COLUMNS = ("fingerprint", "body", "event_type", "resource_luid", "resource_name", "site_luid", "received_at")
# The name of the sequence is looked up once in a statement.
NEXT_ID = "nextval((SELECT pg_get_serial_sequence('events', 'id')::regclass))"
# Limits how long a statement waits in PostgreSQL for another transaction that has stored or changed the same event.
# Set within the statement, so that it ends with it.
LOCK_TIMEOUT = "set_config('lock_timeout', '{milliseconds}', true) AS lock_timeout"


@cache
def upsert(placeholder: str, now: str) -> str:
    """Return the statement that stores one event or counts its duplicate, and returns its id and duplicates.

    `placeholder` is the driver's mark for a value, `now` the SQL for the time.
    """
    values = [now if column == "received_at" else placeholder for column in COLUMNS]
    return (
        f"INSERT INTO events ({', '.join(COLUMNS)}, state) VALUES ({', '.join(values)}, 0) "  # noqa: S608 - our own names
        "ON CONFLICT (fingerprint) DO UPDATE SET duplicates = events.duplicates + 1 RETURNING id, duplicates"
    )


@cache
def upsert_soon(now: str, milliseconds: int) -> str:
    """Return the same statement for PostgreSQL; it waits so long while another transaction holds the event."""
    values = [now if column == "received_at" else "%s" for column in COLUMNS]
    return (
        f"INSERT INTO events ({', '.join(COLUMNS)}, state) SELECT {', '.join(values)}, 0 "  # noqa: S608 - our own names
        f"FROM {LOCK_TIMEOUT.format(milliseconds=milliseconds)} "
        "ON CONFLICT (fingerprint) DO UPDATE SET duplicates = events.duplicates + 1 RETURNING id, duplicates"
    )


@cache
def probe(placeholder: str, event_id: str, now: str) -> str:
    """Return the statement that stores one event under the id that the SQL `event_id` gives; to be rolled back."""
    values = [now if column == "received_at" else placeholder for column in COLUMNS]
    return (
        f"INSERT INTO events (id, {', '.join(COLUMNS)}, state) VALUES ({event_id}, {', '.join(values)}, 0) "  # noqa: S608 - our own names
        "ON CONFLICT (fingerprint) DO UPDATE SET duplicates = events.duplicates + 1 RETURNING id"
    )


@cache
def insert_new(count: int) -> str:
    """Return the statement that stores `count` new events in SQLite; it fails as a whole if one is a duplicate."""
    row = f"({', '.join('?' for _ in COLUMNS)}, 0)"
    return f"INSERT INTO events ({', '.join(COLUMNS)}, state) VALUES {', '.join([row] * count)}"  # noqa: S608 - no values


@cache
def insert_missing(count: int, now: str, milliseconds: int) -> str:
    """Return the statement that stores in PostgreSQL what is new of `count` events, and returns ids and fingerprints.

    The values of `now` come first, then those of the events. The events get ids in this order, but are inserted in the
    order of their fingerprints: statements with the same events then wait for each other, and never in a circle. The
    statement fails if it waits longer than `milliseconds` for one of them.
    """
    names = ", ".join(COLUMNS[:-1])
    row = f"({', '.join('%s' for _ in COLUMNS[:-1])})"
    return (
        f"INSERT INTO events (id, received_at, {names}, state) SELECT id, {now}, {names}, 0 FROM "  # noqa: S608 - our own names
        f"(SELECT {NEXT_ID} AS id, given.* FROM {LOCK_TIMEOUT.format(milliseconds=milliseconds)}, "
        f"(VALUES {', '.join([row] * count)}) AS given ({names})) AS numbered "
        "ORDER BY fingerprint, id ON CONFLICT (fingerprint) DO NOTHING RETURNING id, fingerprint"
    )


# Counts copies of stored events in PostgreSQL, given their fingerprints and the number of copies of each, and returns
# fingerprints, ids and duplicates. Rows that another transaction holds are left out: it waits for none, so that it is
# in no deadlock.
COUNT_COPIES = (
    "UPDATE events SET duplicates = events.duplicates + free.copies FROM (SELECT id, copies FROM events "
    "JOIN unnest(%s::bytea[], %s::int[]) AS given (fingerprint, copies) USING (fingerprint) "
    "FOR NO KEY UPDATE OF events SKIP LOCKED) AS free WHERE events.id = free.id "
    "RETURNING events.fingerprint, events.id, events.duplicates"
)
