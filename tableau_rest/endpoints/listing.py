"""Listing, page by page, as iterators that fetch a page when its first item is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from tableau_rest.connection import Connection
from tableau_rest.protocol import query
from tableau_rest.protocol.fields import Data, child, number, objects, text

T = TypeVar("T")
Filters = query.Filter | str


class Listing(Connection):
    """A connection that can list."""

    def _list(
        self,
        path: str,
        names: tuple[str, ...],
        model: Callable[[Data], T],
        filters: Iterable[Filters] = (),
        *,
        sort: str | Iterable[str] = "",
        page_size: int = query.PAGE,
        fields: str = "",
    ) -> Iterator[T]:
        """The items at `names` of every page. Wrong filters raise ValueError here, before the first request."""
        params = query.listing(filters, sort=sort, page_size=page_size, fields=fields)
        return self._pages(path, lambda document: objects(document, *names), model, params)

    def _pages(
        self,
        path: str,
        read: Callable[[Data], Iterator[Data]],
        model: Callable[[Data], T],
        params: dict[str, str],
    ) -> Iterator[T]:
        seen: set[str] = set()  # content that is published meanwhile pushes items onto the next page, a second time
        count, page = 0, 1
        while True:
            document = self.request("GET", path, params={**params, "pageNumber": page})
            found = list(read(document))
            for item in found:
                luid = text(item, "id")
                if not luid or luid not in seen:
                    yield model(item)
                seen.add(luid)
            count, page = count + len(found), page + 1
            if not found or count >= (number(child(document, "pagination"), "totalAvailable") or 0):
                return
