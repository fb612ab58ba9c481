"""What is on the site, as far as we have seen it: names, owners and projects, also of what is gone by now."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, bindparam, select, update

from webhooks.inbox.databases.store import Store, upsert
from webhooks.inbox.schema import resources

PAGE = 500


@dataclass(frozen=True, slots=True)
class Resource:
    """A workbook, data source or user as we last saw it; `updated_at` is in seconds since 1970."""

    luid: str
    kind: str
    site_luid: str
    name: str
    owner: str = ""
    project: str = ""
    updated_at: float | None = None


class Resources:
    """`remember`, look up, and note what is gone."""

    store: Store

    def remember(self, seen: Iterable[Resource]) -> None:
        """Keeps these as they are now; what was gone is there again."""
        rows = [asdict(one) for one in seen]
        for start in range(0, len(rows), PAGE):
            self.store.write(lambda connection, page=rows[start : start + PAGE]: _keep(connection, page))  # type: ignore[misc]

    def remembered(self, luid: str) -> Resource | None:
        """What we know of that LUID, also where it is gone."""
        found = select(*COLUMNS).where(resources.c.luid == luid)
        row = self.store.read(lambda connection: connection.execute(found).first())
        return Resource(*row) if row else None

    def on_site(self, site_luid: str, kind: str) -> dict[str, Resource]:
        """All of that kind that were there when we last looked, by LUID."""
        here = (resources.c.site_luid == site_luid, resources.c.kind == kind, resources.c.gone_at.is_(None))
        found = select(*COLUMNS).where(*here)
        rows = self.store.read(lambda connection: connection.execute(found).all())
        return {row.luid: Resource(*row) for row in rows}

    def gone(self, luids: Collection[str]) -> None:
        """These are there no more; what we know of them stays."""
        if luids:
            rows = [{"this": luid} for luid in luids]
            lost = update(resources).where(resources.c.luid == bindparam("this")).values(gone_at=self.store.now())
            self.store.write(lambda connection: connection.execute(lost, rows).rowcount)


COLUMNS = tuple(resources.c[name] for name in Resource.__slots__)


def _keep(connection: Connection, rows: list[dict[str, object]]) -> None:
    insert = upsert(connection, resources)
    newer = {name: insert.excluded[name] for name in Resource.__slots__ if name != "luid"}
    kept = insert.on_conflict_do_update(index_elements=["luid"], set_={**newer, "gone_at": None})
    connection.execute(kept, rows)
