"""Lists that Tableau returns in pages, as iterators that request a page when its first item is needed.

Pages are counted from the start of the list, so a list that changes while it is read shifts: after an insertion, items
appear again on the next page; after a deletion, items are skipped. Repeated items are dropped. When items may have been
skipped, the list is read again from the start until one reading is consistent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from tableau_rest import errors, models
from tableau_rest.connection import Connection, Readable
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import BARE, Data, child, integer, items, text
from tableau_rest.transport import Timeouts

M = TypeVar("M")
Filters = query.Filter | str

# Readings of a list that keeps changing before IncompleteList is raised.
_MAX_READINGS = 4
# Pages of one reading; with the default page size half a million items.
_MAX_PAGES = 1000
# The code for a page behind the end of the list, which became shorter.
_NO_SUCH_PAGE = "400006"


class Listing(Connection):
    """A connection that can read lists."""

    def _list(
        self,
        path: str,
        names: tuple[str, str],
        model: Readable[M],
        filters: Iterable[Filters] = (),
        *,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE_SIZE,
        fields: str = "",
    ) -> Iterator[M]:
        """Return the items under `names` of every page, read when needed. Raises ValueError for a wrong filter."""
        params = query.list_parameters(filters, sort=sort, page_size=page_size, fields=fields)
        return self._list_pages(path, lambda page: list_items(page, *names), model, params)

    def _list_pages(
        self,
        path: str,
        read: Callable[[Data], list[Data]],
        model: Readable[M],
        params: Mapping[str, str],
    ) -> Iterator[M]:
        """Yield the items of every page. Raises IncompleteList if the list never becomes consistent."""
        yielded: set[str] = set()
        needs_id = params.get("fields", "") in {"", "_all_", "_default_"}
        previous = None
        for _ in range(_MAX_READINGS):
            reading = _Reading(int(params["pageSize"]))
            while not reading.ended:
                for item in reading.add(self._page(path, params, reading.next_page), read):
                    luid = text(item, "id")
                    if not luid and needs_id:
                        raise errors.InvalidResponse(f"Tableau's list of {path} has an item without an id")
                    if not luid or luid not in yielded:
                        yield model.from_json(item)
                    yielded.add(luid)
            if reading.is_complete or reading.confirms(previous):
                return
            previous = reading
        message = f"The list of {path} is incomplete: Tableau counts {reading.total} items and sent {reading.count}"
        raise errors.IncompleteList(message)

    def _connections(self, path: str, timeouts: Timeouts) -> tuple[models.Connection, ...]:
        """Return the connections of a workbook or data source."""
        document = self.request("GET", f"{path}/connections", timeouts=timeouts)
        found = list_items(document, "connections", "connection")
        return tuple(map(models.Connection.from_json, found))

    def _page(self, path: str, params: Mapping[str, str], number: int) -> Data:
        try:
            return self.request("GET", path, params={**params, "pageNumber": number})
        except errors.BadRequest as error:
            if number > 1 and error.code == _NO_SUCH_PAGE:
                return {BARE: []}
            raise


class _Reading:
    """One reading of a list from its first page to its last."""

    def __init__(self, page_size: int) -> None:
        self._page_size = page_size
        self.next_page = 1
        self.ended = False
        self.ids: list[str] = []
        self._different: set[str] = set()
        self._first_total: int | None = None
        self.total: int | None = None
        # After a deletion, or if the server repeats a page, items may be missing.
        self._is_doubtful = False

    def add(self, page: Data, read: Callable[[Data], list[Data]]) -> list[Data]:
        """Return the items of a page, and note whether it was the last one."""
        found = read(page)
        total = integer(child(page, "pagination"), "totalAvailable")
        if total is not None and total >= len(found):  # a total below the length of one page is wrong
            self._is_doubtful = self._is_doubtful or total < (self.total or 0)
            self._first_total = total if self._first_total is None else self._first_total
            self.total = total
        different = len(self._different)
        ids = [text(item, "id") or f"page {self.next_page}, item {n}" for n, item in enumerate(found)]
        self.ids += ids
        self._different.update(ids)
        repeats = bool(found) and len(self._different) == different
        if self.total is None:  # without a total, only a page that is not full is surely the last one
            self.ended = len(found) < self._page_size or repeats
        else:
            self._is_doubtful = self._is_doubtful or (repeats and self.total == self._first_total)
            self.ended = not found or len(self.ids) >= self.total or (repeats and self._is_doubtful)
        self.next_page += 1
        if self.next_page > _MAX_PAGES and not self.ended:
            raise errors.IncompleteList(f"The list has more than {_MAX_PAGES} pages")
        return found

    @property
    def count(self) -> int:
        """The number of different items that have been read."""
        return len(self._different)

    @property
    def is_complete(self) -> bool:
        """True if all items have been read that were in the list from the first page to the last.

        Items that are inserted meanwhile move others to the next page, where they are read again; so the number of
        different items must reach the first total, and that of all items the last one.
        """
        enough = len(self._different) >= (self._first_total or 0) and len(self.ids) >= (self.total or 0)
        return enough and not self._is_doubtful

    def confirms(self, previous: _Reading | None) -> bool:
        """Return whether the same list was read twice, so that it did not change and its total is simply wrong."""
        return previous is not None and previous.ids == self.ids and not self._is_doubtful


def list_items(page: Data, outer: str, inner: str) -> list[Data]:
    """Return the objects of a page, however they are wrapped. Raises InvalidResponse if it is not such a list.

    An empty list is `{"workbooks": {}}`, or only a paging block with a total of 0. Any other page without "workbooks",
    or with something else in it, is not an empty list.
    """
    wrapped = page.get(outer)
    is_missing = outer not in page and BARE not in page and integer(child(page, "pagination"), "totalAvailable") != 0
    if is_missing or (isinstance(wrapped, Mapping) and wrapped and inner not in wrapped):
        raise errors.InvalidResponse(f"Tableau's response has no list of {outer}")
    found = items(page, outer, inner)
    if not all(isinstance(item, Mapping) for item in found):
        raise errors.InvalidResponse(f"Tableau's list of {outer} contains something other than objects")
    return found
