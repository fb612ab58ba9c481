"""SQL that counts a call against limits that are free, with one round trip to PostgreSQL."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

# Seconds by which a job may come too early to its slot, because timers and clocks are not exact.
EARLY = 0.05
# The slot of a job that has not come by then is lost: its process was killed, or the job had nothing to send.
LOST = 2.0


class Rate(NamedTuple):
    """A limit as numbers: calls are `spacing` seconds apart in the long run, and may come `tolerance` seconds early."""

    key: str
    tolerance: float
    spacing: float


@cache
def postgres_take(now: str, number: int) -> str:
    """Return the statement for as many limits; `now` is the SQL for the time. Values in an array take psycopg longer.

    It returns how many limits the call was counted against, all or none, and how many had no row and have one now. Its
    lock is that of `Store.serialize`. Rows are read after it as they are by then, because they are locked; those added
    while it was awaited are not seen, and are counted neither as stored nor as added.
    """
    rates = ", ".join(["(%s::text, %s::double precision, %s::double precision)"] * number)
    locks = ", ".join(["%s::integer"] * number)
    return (
        f"WITH wanted (key, tolerance, spacing) AS (VALUES {rates}), "  # noqa: S608 - no values
        "locked AS MATERIALIZED (SELECT count(pg_advisory_xact_lock(%s, one)) AS locks "
        f"FROM unnest(ARRAY[{locks}]) AS one), "
        "stored AS MATERIALIZED (SELECT wanted.*, state.value FROM wanted JOIN state ON state.key = wanted.key, locked "
        "WHERE locked.locks > 0 FOR UPDATE OF state), "
        f"clock AS MATERIALIZED (SELECT {now} AS now, count(*) AS stored FROM stored), "
        "used AS (SELECT stored.*, greatest((value::json ->> 'until')::double precision, now) AS until, "
        "(value::json ->> 'last')::double precision AS last FROM stored, clock), "
        "free AS (SELECT count(*) = (SELECT count(*) FROM wanted) "
        f"AND bool_and(until - tolerance <= now + {EARLY} AND last <= now - {LOST}) AS all_free FROM used, clock), "
        "taken AS (UPDATE state SET value = json_build_object('until', used.until + used.spacing, 'last', used.last), "
        "updated_at = clock.now FROM used, clock, free WHERE state.key = used.key AND free.all_free RETURNING 1), "
        "added AS (INSERT INTO state (key, value, updated_at) "
        """SELECT wanted.key, '{"until": 0.0, "last": 0.0}', clock.now FROM wanted, clock """
        "WHERE wanted.key NOT IN (SELECT key FROM stored) ON CONFLICT (key) DO NOTHING RETURNING 1) "
        "SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM added)"
    )
