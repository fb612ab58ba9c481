"""The metadata and the column types of the inbox's tables: each folder has its own in `tables`; see `all_tables`.

Times are seconds since 1970 (UTC) as floats, which both databases compare alike.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, MetaData

metadata = MetaData()

# SQLite generates ids only in a column of exactly this type.
Id = BigInteger().with_variant(Integer(), "sqlite")


class Bytes(LargeBinary):
    """Binary data, read as the driver returns it: a value of another type must not make its row unreadable."""

    def result_processor(self, dialect: Dialect, coltype: object) -> None:
        """Return None: no conversion."""
