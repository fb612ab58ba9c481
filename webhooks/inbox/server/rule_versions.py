"""Store the activated versions of the rules file, so that every process plans events by the same rules."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.server.tables import rule_versions, state

NEWEST = select(rule_versions).order_by(rule_versions.c.id.desc())
NEWEST_ID = select(rule_versions.c.id).order_by(rule_versions.c.id.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """One version of the rules; `source` names the host and the file that it came from.

    `included` holds the texts of the files that `text` includes, by their names.
    """

    id: int
    digest: str
    text: str
    source: str
    activated_at: datetime
    included: Mapping[str, str] = field(default_factory=dict)


class RuleVersions:
    """The newest version is in force."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def current_id(self) -> int | None:
        """Return the id of the version in force, or None if no rules were activated yet."""
        found: int | None = self._store.scalar(NEWEST_ID)
        return found

    def current(self) -> RuleVersion | None:
        """Return the version in force, or None if no rules were activated yet."""
        rows = self._store.rows(NEWEST.limit(1))
        return _version(rows[0]) if rows else None

    def list(self, limit: int = 50) -> Sequence[RuleVersion]:
        """Return the versions, newest first."""
        return [_version(row) for row in self._store.rows(NEWEST.limit(limit))]

    def get(self, version_id: int) -> RuleVersion | None:
        """Return the version with this number, or None."""
        rows = self._store.rows(select(rule_versions).where(rule_versions.c.id == version_id))
        return _version(rows[0]) if rows else None

    def before(self, version_id: int) -> RuleVersion | None:
        """Return the version that was in force before this one, or None."""
        rows = self._store.rows(NEWEST.where(rule_versions.c.id < version_id).limit(1))
        return _version(rows[0]) if rows else None

    def activate(
        self, text: str, source: str, *, force: bool = False, included: Mapping[str, str] | None = None
    ) -> RuleVersion:
        """Put the rules into force if this source has changed since it was last activated, and return what is in force.

        A restarted process of an older deployment therefore does not bring the older rules back. `force` activates
        them anyway.
        """
        files = dict(included or {})
        new = digest(text, files)
        key = f"rules {source}"

        def activate(connection: Connection) -> RowMapping:
            newest = connection.execute(NEWEST.limit(1)).mappings().first()
            seen = connection.execute(select(state.c.value).where(state.c.key == key)).scalar()
            unchanged = seen is not None and json.loads(seen) == new and not force
            if newest is not None and (unchanged or newest["digest"] == new):
                version = newest
            else:
                wall = self._store.to_wall(self._store.now(connection))
                row = {"digest": new, "text": text, "source": source, "activated_at": wall}
                row["included"] = json.dumps(files) if files else None
                connection.execute(insert(rule_versions).values(row))
                version = connection.execute(NEWEST.limit(1)).mappings().one()
            remember = self._store.upsert(state).values(
                key=key, value=json.dumps(new), updated_at=self._store.now_sql()
            )
            changed = {"value": remember.excluded.value, "updated_at": remember.excluded.updated_at}
            connection.execute(remember.on_conflict_do_update(index_elements=["key"], set_=changed))
            return version

        return _version(self._store.write(activate))


def digest(text: str, included: Mapping[str, str] | None = None) -> str:
    """Return what identifies the texts of a rules file and of the files that it includes."""
    whole = json.dumps([text, *sorted(included.items())]) if included else text
    return hashlib.sha256(whole.encode()).hexdigest()


def _version(row: RowMapping) -> RuleVersion:
    included = json.loads(row["included"] or "{}")
    activated_at = from_timestamp(row["activated_at"])
    return RuleVersion(row["id"], row["digest"], row["text"], row["source"], activated_at, included)
