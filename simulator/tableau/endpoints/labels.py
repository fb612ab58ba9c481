"""Labels on assets, and the older data quality warnings, which are labels of one category.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_metadata.htm
"""

from __future__ import annotations

from simulator.tableau import resources
from simulator.tableau.endpoints.content import KINDS, find_content
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_list, as_text, object_at
from simulator.world.changes import add_label, emit_label
from simulator.world.site import Content, Label

READ, UPDATE, DELETE = "tableau:labels:read", "tableau:labels:update", "tableau:labels:delete"
WARNINGS = ("WARNING", "DEPRECATED", "STALE", "SENSITIVE_DATA", "MAINTENANCE")
KIND = "<any(datasource,flow):kind>"
CATEGORIES = {"certified": "certification"}


def _assets(call: ApiCall, body: Document) -> list[tuple[str, Content]]:
    assets = []
    for entry in as_list(object_at(body, "contentList").get("content")):
        kind = as_text(entry.get("contentType")).lower()
        if f"{kind}s" not in KINDS:
            raise ApiError(
                "400000", f"{entry.get('contentType')!r} is not a kind of content that the simulator can label."
            )
        assets.append((kind, find_content(call, f"{kind}s", as_text(entry.get("id")))))
    if not assets:
        raise ApiError("400000", "The request names no content.")
    return assets


def _label_list(call: ApiCall, assets: list[tuple[str, Content]]) -> Document:
    luids = {item.luid for _, item in assets}
    labels = [resources.label(call.site, label) for label in call.site.labels.values() if label.content in luids]
    return {"labelList": {"label": labels}}


@route("/labels", "POST", since="3.21", scope=READ)
def read_labels(call: ApiCall) -> Document:
    """List the labels of some assets. It is a POST, but it only reads."""
    return _label_list(call, _assets(call, call.body()))


@route("/labels", "PUT", since="3.21", scope=UPDATE)
def put_labels(call: ApiCall) -> Document:
    """Add a label to some assets, or update it."""
    body = call.body()
    assets, given = _assets(call, body), object_at(body, "label")
    value = as_text(given.get("value"))
    if not value:
        raise ApiError("400000", "A label needs a value.")
    for kind, item in assets:
        add_label(
            call.world,
            call.site,
            kind=kind,
            item=item,
            value=value,
            message=as_text(given.get("message")),
            user=call.user.luid,
            category=CATEGORIES.get(value.lower(), "warning"),
            active=as_bool(given.get("active"), True),
            elevated=as_bool(given.get("elevated"), False),
        )
    return _label_list(call, assets)


@route("/labels", "DELETE", since="3.21", scope=DELETE)
def delete_labels(call: ApiCall) -> Result:
    """Delete the labels of some assets, or only those of the given categories."""
    luids = {item.luid for _, item in _assets(call, call.body())}
    categories = {name.lower() for name in call.query.get("categories", "").split(",") if name}
    for label in list(call.site.labels.values()):
        if label.content in luids and (not categories or label.category.lower() in categories):
            _delete(call, label)
    return {}, 204


def _delete(call: ApiCall, label: Label) -> None:
    del call.site.labels[label.luid]
    emit_label(call.world, call.site, label, "LabelDeleted")


def _label(call: ApiCall, luid: str) -> Label:
    label: Label = find(call.site.labels, luid, "404034", "Label")
    return label


@route("/labels/<luid>", since="3.21", scope=READ)
def get_label(call: ApiCall, luid: str) -> Document:
    """Return one label."""
    return {"label": resources.label(call.site, _label(call, luid))}


@route("/labels/<luid>", "PUT", since="3.21", scope=UPDATE)
def update_label(call: ApiCall, luid: str) -> Document:
    """Update one label."""
    label, given = _label(call, luid), object_at(call.body(), "label")
    label.value = as_text(given.get("value")) or label.value
    _update(call, label, given, ("active", "elevated"))
    return {"label": resources.label(call.site, label)}


def _update(call: ApiCall, label: Label, given: Document, names: tuple[str, str]) -> None:
    active, elevated = names
    label.message = as_text(given.get("message", label.message))
    label.active, label.elevated = (
        as_bool(given.get(active), label.active),
        as_bool(given.get(elevated), label.elevated),
    )
    label.updated_at = call.world.now()
    emit_label(call.world, call.site, label, "LabelUpdated")


@route("/labels/<luid>", "DELETE", since="3.21", scope=DELETE)
def delete_label(call: ApiCall, luid: str) -> Result:
    """Delete one label."""
    _delete(call, _label(call, luid))
    return {}, 204


def _warnings(call: ApiCall, luid: str) -> list[Label]:
    return [label for label in call.site.labels.values() if label.content == luid and label.value in WARNINGS]


def _warning_list(call: ApiCall, luid: str) -> Document:
    warnings = [resources.warning(call.site, label) for label in _warnings(call, luid)]
    return {"dataQualityWarningList": {"dataQualityWarning": warnings}}


@route(f"/dataQualityWarnings/{KIND}/<luid>", since="3.5")
def read_warnings(call: ApiCall, kind: str, luid: str) -> Document:
    """List the warnings of content."""
    find_content(call, f"{kind}s", luid)
    return _warning_list(call, luid)


@route(f"/dataQualityWarnings/{KIND}/<luid>", "POST", since="3.5")
def add_warning(call: ApiCall, kind: str, luid: str) -> Document:
    """Add a warning to content, which has at most one of each type."""
    item, given = find_content(call, f"{kind}s", luid), object_at(call.body(), "dataQualityWarning")
    value = as_text(given.get("type"))
    if value not in WARNINGS:
        raise ApiError("400000", f"{value!r} is not a type of warning; choose one of: {', '.join(WARNINGS)}.")
    if any(label.value == value for label in _warnings(call, luid)):
        raise ApiError("409057", f"{luid!r} has a warning {value} already.")
    add_label(
        call.world,
        call.site,
        kind=kind,
        item=item,
        value=value,
        message=as_text(given.get("message")),
        user=call.user.luid,
        active=as_bool(given.get("isActive"), default=True),
        elevated=as_bool(given.get("isSevere"), default=False),
    )
    return _warning_list(call, luid)


@route(f"/dataQualityWarnings/{KIND}/<luid>", "PUT", since="3.5")
def update_warnings(call: ApiCall, kind: str, luid: str) -> Document:
    """Update all warnings of content."""
    find_content(call, f"{kind}s", luid)
    given = object_at(call.body(), "dataQualityWarning")
    for label in _warnings(call, luid):
        _update(call, label, given, ("isActive", "isSevere"))
    return _warning_list(call, luid)


@route(f"/dataQualityWarnings/{KIND}/<luid>", "DELETE", since="3.5")
def clear_warnings(call: ApiCall, kind: str, luid: str) -> Result:
    """Delete all warnings of content."""
    find_content(call, f"{kind}s", luid)
    for label in _warnings(call, luid):
        _delete(call, label)
    return {}, 204


@route("/dataQualityWarnings/<luid>", since="3.5")
def get_warning(call: ApiCall, luid: str) -> Document:
    """Return one warning."""
    return {"dataQualityWarning": resources.warning(call.site, _label(call, luid))}


@route("/dataQualityWarnings/<luid>", "PUT", since="3.5")
def update_warning(call: ApiCall, luid: str) -> Document:
    """Update one warning."""
    label = _label(call, luid)
    _update(call, label, object_at(call.body(), "dataQualityWarning"), ("isActive", "isSevere"))
    return {"dataQualityWarning": resources.warning(call.site, label)}


@route("/dataQualityWarnings/<luid>", "DELETE", since="3.5")
def delete_warning(call: ApiCall, luid: str) -> Result:
    """Delete one warning."""
    _delete(call, _label(call, luid))
    return {}, 204
