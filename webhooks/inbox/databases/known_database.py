"""The state of a database that the processes of one server share."""

from __future__ import annotations

import os
from collections.abc import MutableSequence

NEWEST, EXISTS, DAMAGED, PLANNER, PLANNER_UNTIL = 3, 4, 5, 6, 7
# The ids of processes that have the database open, one each; more than a server has.
HOLDERS = range(8, 136)
SIZE = HOLDERS.stop


class KnownDatabase:
    """The existence of the database, and the process that plans while there are many events.

    For a SQLite file also its identity, its newest event, and known damage.

    A process that starts late, or in place of a dead one, compares what it finds with what the others know. `values`
    are `SIZE` integers in memory that these processes share; without them they belong to this process.
    """

    def __init__(self, values: MutableSequence[int] | None = None) -> None:
        self._values = [0] * SIZE if values is None else values

    def hold(self) -> None:
        """Record that this process has the database open, so that SQLite does not remove the log."""
        free = next((place for place in HOLDERS if not _is_other_process(self._values[place])), None)
        if free is not None:
            self._values[free] = os.getpid()

    def release(self) -> None:
        """Record that this process is going to close the database."""
        for place in HOLDERS:
            if self._values[place] == os.getpid():
                self._values[place] = 0

    @property
    def held_by_others(self) -> bool:
        """True if another process has the database open."""
        return any(_is_other_process(self._values[place]) for place in HOLDERS)

    def may_plan(self, now: float) -> bool:
        """Return whether no other process has reserved planning; `now` is in seconds of the machine's clock."""
        return self._values[PLANNER] == os.getpid() or now * 1000 >= self._values[PLANNER_UNTIL]

    def reserve_planning(self, until: float) -> None:
        """Let no other process plan until then: two that plan the same events do the work twice."""
        self._values[PLANNER], self._values[PLANNER_UNTIL] = os.getpid(), int(until * 1000)

    @property
    def exists(self) -> bool:
        """True once a process has used the database, so that none may create it again."""
        return bool(self._values[EXISTS])

    @exists.setter
    def exists(self, exists: bool) -> None:
        self._values[EXISTS] = int(exists)

    @property
    def files(self) -> tuple[int, int, int]:
        """The inodes of the database, its log, and the log's index; 0 if unknown.

        Log and index may have been removed by SQLite if no process holds the database.
        """
        database, log, index = self._values[:3]
        return database, log, index

    @files.setter
    def files(self, inodes: tuple[int, int, int]) -> None:
        self._values[:3] = list(inodes)

    @property
    def newest(self) -> int:
        """The id of the newest event that was stored, or less if processes wrote it at the same moment."""
        return self._values[NEWEST]

    @newest.setter
    def newest(self, event_id: int) -> None:
        self._values[NEWEST] = event_id

    @property
    def damaged(self) -> bool:
        """True once a process has found permanent damage."""
        return bool(self._values[DAMAGED])

    @damaged.setter
    def damaged(self, damaged: bool) -> None:
        self._values[DAMAGED] = int(damaged)


def _is_other_process(pid: int) -> bool:
    if pid in {0, os.getpid()}:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
