"""The database of the simulated year: one connection, without the threads and the safety that a server needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, create_engine

from webhooks.inbox import Inbox

T = TypeVar("T")


@contextmanager
def open_database(url: str, clock: Callable[[], float]) -> Iterator[tuple[Inbox, Connection]]:
    """Open an inbox all of whose statements run on the connection; the caller commits now and then.

    A year has some hundred thousand transactions, and handing each one to the thread that commits takes longer than
    its statements. What is measured is what the watches find, so nothing has to survive a loss of power.
    """
    inbox = Inbox.open(url, clock)
    engine = create_engine(url)
    connection = engine.connect()
    try:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA synchronous=OFF")
            connection.commit()

        def run(operation: Callable[[Connection], T], **_: float) -> T:
            return operation(connection)

        vars(inbox.store).update(read=run, write=run)
        yield inbox, connection
    finally:
        connection.close()
        engine.dispose()
        inbox.close()
