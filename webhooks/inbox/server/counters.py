"""Counters for metrics: collected in memory, and added to those of all processes in the database every few seconds."""

from __future__ import annotations

import json
import logging
import threading
from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, select

from webhooks.errors import StoreUnavailable
from webhooks.forks import Lock
from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import counters
from webhooks.observability.metrics import BUCKETS, Key

log = logging.getLogger(__name__)

# A process that is killed loses what it has counted since the last time.
FLUSH_SECONDS = 5.0
# Metrics must not wait longer for the database.
TIMEOUT_SECONDS = 1.0
STOP_SECONDS = 2.0


class Counters:
    """Numbers that only grow, shared by all processes of an inbox. Thread-safe.

    Counting takes a microsecond and never fails; it may be done before the inbox is open.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._new: defaultdict[Key, float] = defaultdict(float)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, *key: str, number: float = 1) -> None:
        """Count one more, or `number`."""
        with self._lock:
            self._new[key] += number

    def observe(self, name: str, seconds: float) -> None:
        """Count a duration in its bucket."""
        bucket = next((str(bound) for bound in BUCKETS if seconds <= bound), "+Inf")
        with self._lock:
            self._new[name, "bucket", bucket] += 1
            self._new[name, "sum"] += seconds

    def flush(self, store: Store) -> None:
        """Add what was counted to the database; what cannot be added now is added later. Raises StoreUnavailable."""
        with self._lock:
            new, self._new = self._new, defaultdict(float)
        if not new:
            return
        insert = store.upsert(counters)
        total = counters.c.value + insert.excluded.value
        upsert = insert.on_conflict_do_update(index_elements=["name"], set_={"value": total})
        # In one order, so that two processes do not wait for each other.
        rows = [{"name": json.dumps(key), "value": new[key]} for key in sorted(new)]

        def add(connection: Connection) -> None:
            for row in rows:
                connection.execute(upsert, row)

        try:
            store.write(add, timeout=TIMEOUT_SECONDS)
        except BaseException:
            with self._lock:
                for key, number in new.items():
                    self._new[key] += number
            raise

    def read(self, store: Store) -> Mapping[Key, float]:
        """Return the numbers of all processes. Raises StoreUnavailable."""
        return {tuple(json.loads(row["name"])): row["value"] for row in store.rows(select(counters))}

    def start(self, store: Store) -> None:
        """Flush from time to time until `stop`; call it in the process that counts, not before a fork."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(store,), name="counters", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Flush for the last time."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)

    def _run(self, store: Store) -> None:
        stopping = False
        while not stopping:
            stopping = self._stopping.wait(FLUSH_SECONDS)
            try:
                self.flush(store)
            except StoreUnavailable as error:
                log.debug("Counters not stored: %s", error)
            except Exception:
                log.exception("Counters not stored")
