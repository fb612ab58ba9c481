"""Pictures and files of content: preview images, view images, PDF, CSV, crosstab, PowerPoint.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from flask import Response

from simulator.render import documents
from simulator.render.chart import chart
from simulator.tableau.endpoints.content import find_content
from simulator.tableau.route import ANY_SCOPE, ApiCall, require_scope, route
from simulator.tableau.wire import ApiError
from simulator.world.site import View, Workbook

DOWNLOAD, DOWNLOAD_WORKBOOKS = "tableau:views:download", "tableau:workbooks:download"
THUMBNAIL = (480, 300)
SIZES = {"": (800, 600), "high": (1600, 1200)}
# Pixels per side.
MAX_SIZE = 4000


def _image(call: ApiCall, item: View | Workbook, title: str, size: tuple[int, int]) -> bytes:
    project = call.site.projects.get(item.project)
    subtitle = " / ".join(filter(None, (project.name if project else "", *_filters(call))))
    return chart(title, subtitle, f"{item.luid}{item.updated_at:%Y%m%d%H%M}", *size)


def _filters(call: ApiCall) -> list[str]:
    return [f"{name[3:]}: {value}" for name, value in call.query.items() if name.startswith("vf_")]


def _file(data: bytes, mimetype: str, name: str = "") -> Response:
    response = Response(data, mimetype=mimetype)
    if name:
        # https://www.rfc-editor.org/rfc/rfc6266#section-4.3
        is_plain = name.isascii() and name.isprintable() and '"' not in name
        value = f'filename="{name}"' if is_plain else f"filename*=UTF-8''{quote(name, safe='')}"
        response.headers["Content-Disposition"] = f"attachment; {value}"
    return response


@route("/workbooks/<luid>/previewImage", scope=DOWNLOAD, locked=False)
def workbook_preview(call: ApiCall, luid: str) -> Response:
    """Return the preview image of a workbook."""
    item = find_content(call, "workbooks", luid)
    return _file(_image(call, item, item.name, THUMBNAIL), "image/png")


@route("/workbooks/<luid>/views/<view>/previewImage", scope=DOWNLOAD, locked=False)
def view_preview(call: ApiCall, luid: str, view: str) -> Response:
    """Return the preview image of a view."""
    item = find_content(call, "views", view)
    if item.workbook != luid:
        raise ApiError("404011", f"View {view!r} is not in workbook {luid!r}.")
    return _file(_image(call, item, item.name, THUMBNAIL), "image/png")


def _limited(call: ApiCall, make: Callable[[], Response]) -> Response:
    """Make one of the exports that a site may run at a time. Raises ApiError 429 if all are in use."""
    if not call.world.exports.acquire(blocking=False):
        raise ApiError("429000", "Too many concurrent export requests (api.rest.export). Try again later.")
    try:
        return make()
    finally:
        call.world.exports.release()


@route("/views/<luid>/image", since="2.5", scope=DOWNLOAD, locked=False)
def view_image(call: ApiCall, luid: str) -> Response:
    """Return a view as a PNG of the requested size."""
    item = find_content(call, "views", luid)
    size = _size(call)
    return _limited(call, lambda: _file(_image(call, item, item.name, size), "image/png"))


def _size(call: ApiCall) -> tuple[int, int]:
    _whole_number(call, "maxAge", least=0)
    if call.query.get("format", "PNG").upper() != "PNG":
        raise ApiError("404003", "The simulator does not support images in other formats than PNG.")
    resolution = call.query.get("resolution", "")
    if resolution not in SIZES:
        raise ApiError("400000", f"{resolution!r} is not a resolution; choose high.")
    width, height = _whole_number(call, "vizWidth"), _whole_number(call, "vizHeight")
    if (width is None) != (height is None):
        raise ApiError("400000", "vizWidth and vizHeight go together.")
    return (min(width, MAX_SIZE), min(height, MAX_SIZE)) if width and height else SIZES[resolution]


def _whole_number(call: ApiCall, name: str, *, least: int = 1) -> int | None:
    """Return a whole number of the query string, of at least `least`. Raises ApiError."""
    value = call.query.get(name)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ApiError("400000", f"{name} must be a whole number of at least {least}, not {value!r}.")
    return int(value)


@route("/views/<luid>/pdf", since="2.7", scope=DOWNLOAD, locked=False)
def view_pdf(call: ApiCall, luid: str) -> Response:
    """Return a view as a PDF of one page."""
    item = find_content(call, "views", luid)
    return _limited(call, lambda: _file(documents.pdf([item.name]), "application/pdf", f"{item.name}.pdf"))


@route("/workbooks/<luid>/pdf", since="3.4", scope=DOWNLOAD_WORKBOOKS, locked=False)
def workbook_pdf(call: ApiCall, luid: str) -> Response:
    """Return a workbook as a PDF with a page for each view."""
    item = find_content(call, "workbooks", luid)
    pages = [f"{item.name} - {call.site.views[view].name}" for view in item.views] or [item.name]
    return _limited(call, lambda: _file(documents.pdf(pages), "application/pdf", f"{item.name}.pdf"))


@route("/workbooks/<luid>/powerpoint", since="3.8", scope=DOWNLOAD_WORKBOOKS, locked=False)
def workbook_powerpoint(call: ApiCall, luid: str) -> Response:
    """Return a workbook as slides with the images of its views."""
    item = find_content(call, "workbooks", luid)
    views = [call.site.views[view] for view in item.views]
    slides = {view.name: _image(call, view, view.name, (800, 600)) for view in views}
    return _limited(call, lambda: _file(documents.pptx(slides), documents.PPTX, f"{item.name}.pptx"))


@route("/views/<luid>/data", since="2.7", scope=DOWNLOAD, locked=False)
def view_data(call: ApiCall, luid: str) -> Response:
    """Return the data of a view as CSV."""
    item = find_content(call, "views", luid)
    rows = documents.numbers(item.luid, _filters(call))
    return _limited(call, lambda: _file(documents.csv(rows), "text/csv;charset=utf-8", f"{item.name}.csv"))


@route("/views/<luid>/crosstab/excel", since="3.8", scope=DOWNLOAD, locked=False)
def view_crosstab(call: ApiCall, luid: str) -> Response:
    """Return the data of a view as an Excel file."""
    item = find_content(call, "views", luid)
    rows = documents.numbers(item.luid, _filters(call))
    return _limited(call, lambda: _file(documents.xlsx(rows), documents.XLSX, f"{item.name}.xlsx"))


@route("/<any(workbooks,datasources,flows):kind>/<luid>/content", scope=ANY_SCOPE, locked=False)
def download(call: ApiCall, kind: str, luid: str) -> Response:
    """Return the published file, which is a minimal package."""
    require_scope(call, f"tableau:{kind}:download")
    item = find_content(call, kind, luid)
    name, inner = {"workbooks": ("twbx", "twb"), "datasources": ("tdsx", "tds"), "flows": ("tflx", "tfl")}[kind]
    document = f"<?xml version='1.0' encoding='utf-8' ?>\n<{kind[:-1]} version='18.1' source-build='simulator'/>\n"
    data = documents.package({f"{item.content_url}.{inner}": document.encode()})
    return _file(data, "application/octet-stream", f"{item.content_url}.{name}")
