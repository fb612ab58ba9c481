"""The workbooks that use a data source, as they were last seen in Tableau: pages do not wait for the Metadata API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, or_, select

from webhooks.clock import from_timestamp
from webhooks.inbox.databases.store import Store
from webhooks.inbox.resources.tables import downstream
from webhooks.inbox.runs.tables import refreshed_content

# Workbooks of one data source that are stored.
MAX_WORKBOOKS = 200


@dataclass(frozen=True, slots=True)
class DependentWorkbook:
    """A workbook that uses a data source."""

    luid: str
    name: str
    project: str = ""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Dependents:
    """The workbooks that use a data source, by name, and when that was looked up. `number` is that of all."""

    at: datetime
    number: int
    workbooks: Sequence[DependentWorkbook]


class Downstream:
    """Dependent workbooks by the LUID of their data source."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def save(self, luid: str, workbooks: Iterable[DependentWorkbook], now: datetime) -> None:
        """Replace what is stored of a data source."""
        ordered = sorted(workbooks, key=lambda one: (one.name.casefold(), one.luid))
        value = {"number": len(ordered), "workbooks": [asdict(one) for one in ordered[:MAX_WORKBOOKS]]}
        row = {"workbooks": json.dumps(value, ensure_ascii=False), "looked_up_at": now.timestamp()}
        insert = self._store.upsert(downstream).values(resource_luid=luid, **row)
        self._store.execute(insert.on_conflict_do_update(index_elements=["resource_luid"], set_=row))

    def outdated(self, before: datetime, *, site_luid: str | None = None, limit: int) -> list[str]:
        """Return data sources whose refreshes were reported and that were not looked up since `before`.

        Those that were never looked up come first. `site_luid` limits them to a site.
        """
        content, known = refreshed_content.c, downstream.c
        query = (
            select(content.resource_luid)
            .outerjoin(downstream, known.resource_luid == content.resource_luid)
            .where(content.resource_kind == "datasource")
            .where(or_(known.looked_up_at.is_(None), known.looked_up_at < before.timestamp()))
            .order_by(func.coalesce(known.looked_up_at, 0.0), content.resource_luid)
            .limit(limit)
        )
        if site_luid is not None:
            query = query.where(content.site_luid == site_luid)
        return [row["resource_luid"] for row in self._store.rows(query)]

    def get(self, luid: str) -> Dependents | None:
        """Return the workbooks that use a data source; None if they were never looked up."""
        rows = self._store.rows(select(downstream).where(downstream.c.resource_luid == luid))
        if not rows:
            return None
        stored = json.loads(rows[0]["workbooks"])
        workbooks = [DependentWorkbook(**one) for one in stored["workbooks"]]
        return Dependents(from_timestamp(rows[0]["looked_up_at"]), stored["number"], workbooks)
