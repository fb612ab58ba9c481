"""Exports: files that Tableau makes on demand, read whole or not at all."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, cast

from tableau_rest import errors
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import query, responses
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.transport import EXPORT_TIMEOUTS, MAX_BODY

# Cloud lets a site have that many under way; what comes on top is refused with 429.
# https://kb.tableau.com/articles/issue/concurrency-limits-in-rest-apis-on-tableau-cloud
MAX_CONCURRENT_EXPORTS = 20
PAGES = ("A3", "A4", "A5", "B4", "B5", "Executive", "Folio", "Ledger", "Legal", "Letter", "Note", "Quarto", "Tabloid")
_SPOOLED = 4 * 1024 * 1024  # bytes kept in memory before a temporary file is made
_DOWNLOAD = "tableau:views:download"
_CODES = "404011 NotFound, 429000 TooManyRequests: 20 at once on Cloud"

_places: dict[str, threading.BoundedSemaphore] = {}


class Export:
    """A file to come: Tableau is asked when it is read, saved or opened, and again each time."""

    def __init__(self, fetch: Callable[[BinaryIO], None], name: str) -> None:
        self._fetch, self._name = fetch, name

    def __repr__(self) -> str:
        return f"<Export {self._name}>"

    def save(self, path: str | Path) -> Path:
        """Writes the file and returns its path. A failure leaves nothing behind, and an old file as it was."""
        target = Path(path)
        unfinished = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
        try:
            with unfinished.open("xb") as file:
                self._fetch(file)
            return unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def read(self) -> bytes:
        """The file as bytes; InvalidResponse where it is larger than 64 MiB."""
        with self.open() as file:
            found = file.read(MAX_BODY + 1)
        if len(found) > MAX_BODY:
            raise errors.InvalidResponse(f"{self._name} is larger than 64 MiB: save() it", permanent=True)
        return found

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """The whole file, ready to be read from its start; it is gone afterwards."""
        with tempfile.SpooledTemporaryFile(max_size=_SPOOLED) as spooled:
            file = cast("BinaryIO", spooled)
            self._fetch(file)
            file.seek(0)
            yield file


class Exports(Connection):
    """Exports."""

    @endpoint("GET views/{id}/image", since="2.5", scope=_DOWNLOAD, codes=_CODES)
    def view_image(
        self,
        luid: str | HasLuid,
        *,
        resolution: str = "high",
        max_age: int | None = None,
        width: int | None = None,
        height: int | None = None,
        filters: Mapping[str, object] | None = None,
        format: str = "PNG",  # noqa: A002  Tableau's own word
    ) -> Export:
        """The view as a picture, drawn for the signed-in user: row-level security applies to that one.

        `resolution` is "high" or "standard". `max_age` is how many minutes old the server's own copy may be (1 at
        least; after a refresh say 1). `width` and `height` in pixels, both or none. `filters` sets fields of the view;
        a list means several values. `format` "SVG" needs REST API 3.29. Raises ValueError for what cannot be.
        """
        _one_of("resolution", resolution, ("high", "standard"))
        _one_of("format", format, ("PNG", "SVG"))
        if (width is None) != (height is None):
            raise ValueError("width and height go together")
        params = {
            "resolution": resolution if resolution == "high" else None,
            "vizWidth": _positive("width", width),
            "vizHeight": _positive("height", height),
            "format": format if format != "PNG" else None,
        }
        return self._export(f"views/{luid_of(luid)}/image", params, max_age, filters)

    @endpoint("GET views/{id}/pdf", since="2.7", scope=_DOWNLOAD, codes=_CODES)
    def view_pdf(
        self,
        luid: str | HasLuid,
        *,
        type: str = "A4",  # noqa: A002
        orientation: str = "Portrait",
        max_age: int | None = None,
        filters: Mapping[str, object] | None = None,
    ) -> Export:
        """The view as a PDF. `type` is the paper, as in "A4" or "Letter"; the rest as for `view_image`."""
        return self._export(f"views/{luid_of(luid)}/pdf", _paper(type, orientation), max_age, filters)

    @endpoint("GET views/{id}/data", since="2.7", scope=_DOWNLOAD, codes=_CODES)
    def view_csv(
        self, luid: str | HasLuid, *, max_age: int | None = None, filters: Mapping[str, object] | None = None
    ) -> Export:
        """The summary data of a view as CSV; of a dashboard it is that of the first sheet only."""
        return self._export(f"views/{luid_of(luid)}/data", {}, max_age, filters)

    @endpoint("GET views/{id}/crosstab/excel", since="3.8", scope=_DOWNLOAD, codes=_CODES)
    def view_crosstab(
        self, luid: str | HasLuid, *, max_age: int | None = None, filters: Mapping[str, object] | None = None
    ) -> Export:
        """The view as an Excel crosstab."""
        return self._export(f"views/{luid_of(luid)}/crosstab/excel", {}, max_age, filters)

    @endpoint("GET workbooks/{id}/pdf", since="3.4", scope="tableau:workbooks:download", codes=_CODES)
    def workbook_pdf(
        self,
        luid: str | HasLuid,
        *,
        type: str = "A4",  # noqa: A002
        orientation: str = "Portrait",
        max_age: int | None = None,
    ) -> Export:
        """All views of a workbook as one PDF."""
        return self._export(f"workbooks/{luid_of(luid)}/pdf", _paper(type, orientation), max_age)

    @endpoint("GET workbooks/{id}/powerpoint", since="3.8", scope="tableau:workbooks:download", codes=_CODES)
    def workbook_powerpoint(self, luid: str | HasLuid, *, max_age: int | None = None) -> Export:
        """All views of a workbook as PowerPoint slides."""
        return self._export(f"workbooks/{luid_of(luid)}/powerpoint", {}, max_age)

    @endpoint("GET workbooks/{id}/content", since="2.0", scope="tableau:workbooks:download", codes=_CODES)
    def download_workbook(self, luid: str | HasLuid, *, include_extract: bool = True) -> Export:
        """The workbook itself, a .twb or .twbx."""
        return self._export(f"workbooks/{luid_of(luid)}/content", {"includeExtract": include_extract})

    @endpoint("GET datasources/{id}/content", since="2.0", scope="tableau:datasources:download", codes=_CODES)
    def download_datasource(self, luid: str | HasLuid, *, include_extract: bool = True) -> Export:
        """The data source itself, a .tds or .tdsx."""
        return self._export(f"datasources/{luid_of(luid)}/content", {"includeExtract": include_extract})

    @endpoint("GET flows/{id}/content", since="3.3", scope="tableau:flows:download", codes=_CODES)
    def download_flow(self, luid: str | HasLuid) -> Export:
        """The flow itself, a .tfl or .tflx."""
        return self._export(f"flows/{luid_of(luid)}/content", {})

    def _export(
        self,
        path: str,
        params: Mapping[str, object],
        max_age: int | None = None,
        filters: Mapping[str, object] | None = None,
    ) -> Export:
        given = {**params, "maxAge": _positive("max_age", max_age), **_view_filters(filters or {})}
        written = query.encode({name: value for name, value in given.items() if value is not None})
        target = f"{path}?{written}" if written else path

        def fetch(file: BinaryIO) -> None:
            with self._place():
                answer = self._answer("GET", target, accept="*/*", timeouts=EXPORT_TIMEOUTS, into=file)
            responses.refuse_page(answer.headers)

        return Export(fetch, path)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of the exports the site may have under way; waits as long as an export may take."""
        places = _places.setdefault(self._site_key, threading.BoundedSemaphore(MAX_CONCURRENT_EXPORTS))
        if not places.acquire(timeout=EXPORT_TIMEOUTS.read):
            retry_at = self._clock() + timedelta(minutes=1)
            raise errors.TooManyRequests(
                f"{MAX_CONCURRENT_EXPORTS} exports are under way and none ended", retry_at=retry_at
            )
        try:
            yield
        finally:
            places.release()


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} cannot be {value!r}; it can be {', '.join(allowed)}")
    return value


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value!r}")
    return value


def _paper(page: str, orientation: str) -> dict[str, object]:
    _one_of("type", page, (*PAGES, "Unspecified"))
    _one_of("orientation", orientation, ("Portrait", "Landscape"))
    return {"type": page, "orientation": orientation}


def _view_filters(filters: Mapping[str, object]) -> dict[str, str]:
    """Filters of a view. Tableau reads a comma as the border between two values."""
    written = {}
    for field, value in filters.items():
        values = [str(item) for item in value] if isinstance(value, list | tuple | set) else [str(value)]
        if not field.strip() or not values or any("," in item for item in values):
            raise ValueError(f"a filter that cannot be expressed: {field!r} = {value!r}")
        written[f"vf_{field}"] = ",".join(values)
    return written
