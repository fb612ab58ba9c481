"""Names, owners and projects of content as last seen on the site, also of deleted content."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import bindparam, select, update

from webhooks.inbox.databases.store import Store
from webhooks.inbox.resources.tables import resources

PAGE = 500


@dataclass(frozen=True, slots=True)
class Resource:
    """A workbook, data source or user as last seen; `updated_at` is in seconds since 1970."""

    luid: str
    kind: str
    site_luid: str
    name: str
    owner: str = ""
    project: str = ""
    updated_at: float | None = None


COLUMNS = tuple(resources.c[name] for name in Resource.__slots__)


class Resources:
    """Resources by LUID."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, seen: Iterable[Resource]) -> None:
        """Store the resources as they are now; one that was marked as deleted exists again."""
        insert = self._store.upsert(resources)
        new = {name: insert.excluded[name] for name in Resource.__slots__ if name != "luid"}
        statement = insert.on_conflict_do_update(index_elements=["luid"], set_={**new, "gone_at": None})
        rows = [asdict(resource) for resource in seen]
        for start in range(0, len(rows), PAGE):
            self._store.execute(statement, rows[start : start + PAGE])

    def get(self, luid: str) -> Resource | None:
        """Return the resource as last seen, also if it has been deleted; None if it was never seen."""
        rows = self._store.rows(select(*COLUMNS).where(resources.c.luid == luid))
        return Resource(**rows[0]) if rows else None

    def on_site(self, site_luid: str, kind: str) -> dict[str, Resource]:
        """Return the resources of that kind that existed when last seen, by LUID."""
        here = (resources.c.site_luid == site_luid, resources.c.kind == kind, resources.c.gone_at.is_(None))
        return {row["luid"]: Resource(**row) for row in self._store.rows(select(*COLUMNS).where(*here))}

    def mark_deleted(self, luids: Collection[str]) -> None:
        """Mark the resources as deleted; what is known about them is kept."""
        if luids:
            deleted = update(resources).where(resources.c.luid == bindparam("this"))
            self._store.execute(deleted.values(gone_at=self._store.now_sql()), [{"this": luid} for luid in luids])
