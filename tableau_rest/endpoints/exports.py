"""Exports: files that Tableau renders on demand, received completely or not at all."""

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
from tableau_rest.protocol import query
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.responses import refuse_page
from tableau_rest.transport import EXPORT_TIMEOUTS, MAX_BODY

# Exports that Tableau Cloud runs at the same time for a site; it responds with 429 to further ones.
# https://kb.tableau.com/articles/issue/concurrency-limits-in-rest-apis-on-tableau-cloud
MAX_CONCURRENT_EXPORTS = 20
PAPER = ("A3", "A4", "A5", "B4", "B5", "Executive", "Folio", "Ledger", "Legal", "Letter", "Note", "Quarto", "Tabloid")
# Bytes held in memory before a temporary file is used.
_SPOOLED = 4 * 1024 * 1024
_DOWNLOAD = "tableau:views:download"
_CODES = "404011 NotFound, 429000 TooManyRequests: 20 at once on Cloud"

# The exports that may still be started for each site, shared by all clients of this process.
_slots: dict[str, threading.BoundedSemaphore] = {}


class Export:
    """A file that Tableau renders when it is read, saved or opened, each time again."""

    def __init__(self, fetch: Callable[[BinaryIO], None], name: str) -> None:
        self._fetch, self._name = fetch, name

    def __repr__(self) -> str:
        return f"<Export {self._name}>"

    def save(self, path: str | Path) -> Path:
        """Write the file and return its path. A failure leaves no file, or the previous one unchanged."""
        target = Path(path)
        unfinished = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
        try:
            with unfinished.open("xb") as file:
                self._fetch(file)
            return unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)

    def read(self) -> bytes:
        """Return the file as bytes. Raises InvalidResponse if it is larger than 64 MiB."""
        with self.open() as file:
            found = file.read(MAX_BODY + 1)
        if len(found) > MAX_BODY:
            raise errors.InvalidResponse(f"{self._name} is larger than 64 MiB: use save()", permanent=True)
        return found

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Return the complete file, opened at its start; it is deleted afterwards."""
        with tempfile.SpooledTemporaryFile(max_size=_SPOOLED) as spooled:
            file = cast("BinaryIO", spooled)
            self._fetch(file)
            file.seek(0)
            yield file


class Exports(Connection):
    """Exports.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
    """

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
        format: str = "PNG",  # noqa: A002 - the name in Tableau's API
    ) -> Export:
        """Export a view as an image, rendered for the signed-in user, whose row-level security applies.

        `resolution` is "high" or "standard". `max_age` is the maximum age of the server's cached copy in minutes, 1 or
        more; use 1 after a refresh. `width` and `height` are in pixels, both or neither. `filters` sets fields of the
        view; a list means several values. `format` "SVG" needs REST API 3.29. Raises ValueError for other values.
        """
        _one_of("resolution", resolution, ("high", "standard"))
        _one_of("format", format, ("PNG", "SVG"))
        if (width is None) != (height is None):
            raise ValueError("width and height must be given together")
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
        type: str = "A4",  # noqa: A002 - the name in Tableau's API
        orientation: str = "Portrait",
        max_age: int | None = None,
        filters: Mapping[str, object] | None = None,
    ) -> Export:
        """Export a view as a PDF. `type` is the paper, as in "A4" or "Letter"; the rest as for `view_image`."""
        return self._export(f"views/{luid_of(luid)}/pdf", _paper(type, orientation), max_age, filters)

    @endpoint("GET views/{id}/data", since="2.7", scope=_DOWNLOAD, codes=_CODES)
    def view_csv(
        self, luid: str | HasLuid, *, max_age: int | None = None, filters: Mapping[str, object] | None = None
    ) -> Export:
        """Export the summary data of a view as CSV; of a dashboard only that of its first sheet."""
        return self._export(f"views/{luid_of(luid)}/data", {}, max_age, filters)

    @endpoint("GET views/{id}/crosstab/excel", since="3.8", scope=_DOWNLOAD, codes=_CODES)
    def view_crosstab(
        self, luid: str | HasLuid, *, max_age: int | None = None, filters: Mapping[str, object] | None = None
    ) -> Export:
        """Export a view as an Excel crosstab."""
        return self._export(f"views/{luid_of(luid)}/crosstab/excel", {}, max_age, filters)

    @endpoint("GET workbooks/{id}/pdf", since="3.4", scope="tableau:workbooks:download", codes=_CODES)
    def workbook_pdf(
        self,
        luid: str | HasLuid,
        *,
        type: str = "A4",  # noqa: A002 - the name in Tableau's API
        orientation: str = "Portrait",
        max_age: int | None = None,
    ) -> Export:
        """Export all views of a workbook as one PDF."""
        return self._export(f"workbooks/{luid_of(luid)}/pdf", _paper(type, orientation), max_age)

    @endpoint("GET workbooks/{id}/powerpoint", since="3.8", scope="tableau:workbooks:download", codes=_CODES)
    def workbook_powerpoint(self, luid: str | HasLuid, *, max_age: int | None = None) -> Export:
        """Export all views of a workbook as PowerPoint slides."""
        return self._export(f"workbooks/{luid_of(luid)}/powerpoint", {}, max_age)

    @endpoint("GET workbooks/{id}/content", since="2.0", scope="tableau:workbooks:download", codes=_CODES)
    def download_workbook(self, luid: str | HasLuid, *, include_extract: bool = True) -> Export:
        """Download a workbook, as a .twb or .twbx."""
        return self._export(f"workbooks/{luid_of(luid)}/content", {"includeExtract": include_extract})

    @endpoint("GET datasources/{id}/content", since="2.0", scope="tableau:datasources:download", codes=_CODES)
    def download_datasource(self, luid: str | HasLuid, *, include_extract: bool = True) -> Export:
        """Download a data source, as a .tds or .tdsx."""
        return self._export(f"datasources/{luid_of(luid)}/content", {"includeExtract": include_extract})

    @endpoint("GET flows/{id}/content", since="3.3", scope="tableau:flows:download", codes=_CODES)
    def download_flow(self, luid: str | HasLuid) -> Export:
        """Download a flow, as a .tfl or .tflx."""
        return self._export(f"flows/{luid_of(luid)}/content", {})

    def _export(
        self,
        path: str,
        params: Mapping[str, object],
        max_age: int | None = None,
        filters: Mapping[str, object] | None = None,
    ) -> Export:
        given = {**params, "maxAge": _positive("max_age", max_age), **_view_filters(filters or {})}
        encoded = query.encode({name: value for name, value in given.items() if value is not None})
        target = f"{path}?{encoded}" if encoded else path

        def fetch(file: BinaryIO) -> None:
            with self._slot():
                response = self._send("GET", target, accept="*/*", timeouts=EXPORT_TIMEOUTS, into=file)
            refuse_page(response.headers)

        return Export(fetch, path)

    @contextmanager
    def _slot(self) -> Iterator[None]:
        """Take one of the exports that may run at the same time. Raises TooManyRequests after a long wait."""
        slots = _slots.setdefault(self._site_key, threading.BoundedSemaphore(MAX_CONCURRENT_EXPORTS))
        if not slots.acquire(timeout=EXPORT_TIMEOUTS.read):
            retry_at = self._clock() + timedelta(minutes=1)
            raise errors.TooManyRequests(f"{MAX_CONCURRENT_EXPORTS} exports are running already", retry_at=retry_at)
        try:
            yield
        finally:
            slots.release()


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{name} cannot be {value!r}; choose one of: {', '.join(allowed)}")
    return value


def _positive(name: str, value: int | None) -> int | None:
    if value is not None and value < 1:
        raise ValueError(f"{name} must be 1 or more, not {value!r}")
    return value


def _paper(page: str, orientation: str) -> dict[str, object]:
    _one_of("type", page, (*PAPER, "Unspecified"))
    _one_of("orientation", orientation, ("Portrait", "Landscape"))
    return {"type": page, "orientation": orientation}


def _view_filters(filters: Mapping[str, object]) -> dict[str, str]:
    """Return filters of a view as parameters. Raises ValueError for a comma, which separates two values."""
    parameters = {}
    for field, value in filters.items():
        values = [str(item) for item in value] if isinstance(value, list | tuple | set) else [str(value)]
        if not field.strip() or not values or any("," in item for item in values):
            raise ValueError(f"a filter cannot be {field!r} = {value!r}")
        parameters[f"vf_{field}"] = ",".join(values)
    return parameters
