"""Which failures are the database's, so that waiting may help, and which are mistakes of ours."""

from __future__ import annotations

from webhooks.errors import StoreUnavailable

MISTAKES = {"IntegrityError", "DataError", "ProgrammingError", "NotSupportedError"}
"""Of the statement or its values: the same again would fail again."""
TROUBLES = {"Error", "DBAPIError", "TimeoutError"}
"""What all other errors of the drivers, of SQLAlchemy and of its pool derive from."""


def is_mistake(error: BaseException) -> bool:
    """Whether the operation itself is wrong, so that its neighbours in a transaction are not to blame."""
    if isinstance(error, (OSError, StoreUnavailable)):
        return False
    # By name (https://peps.python.org/pep-0249/#exceptions), so that no driver is loaded that is not used.
    ours = {"sqlite3", "psycopg", "sqlalchemy"}
    kinds = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] in ours}
    return not kinds & TROUBLES or bool(kinds & MISTAKES)


def unavailable(error: Exception) -> Exception:
    """The database's own failures become StoreUnavailable; a mistake of the operation stays what it is."""
    if is_mistake(error) or isinstance(error, StoreUnavailable):
        return error
    wrapped = StoreUnavailable(str(getattr(error, "orig", None) or error).strip())
    wrapped.__cause__ = error
    return wrapped
