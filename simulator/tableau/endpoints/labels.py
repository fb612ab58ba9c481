"""Labels on assets, and the older data quality warnings, which are labels of one category.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_metadata.htm
"""

from simulator.tableau import resources
from simulator.tableau.endpoints.content import KINDS, found
from simulator.tableau.route import ApiCall, Result, find, route
from simulator.tableau.wire import ApiError, Document, as_bool, as_list, as_text, object_at
from simulator.world.changes import add_label, emit_label
from simulator.world.site import Content, Label

READ, UPDATE = "tableau:labels:read", "tableau:labels:update"
WARNINGS_READ, WARNINGS_UPDATE = "tableau:data_quality_warnings:read", "tableau:data_quality_warnings:update"
WARNINGS = ("WARNING", "DEPRECATED", "STALE", "SENSITIVE_DATA", "MAINTENANCE")
WARNED = "<any(datasource,flow):kind>"
CATEGORIES = {"certified": "certification"}


def _assets(call: ApiCall, body: Document) -> list[tuple[str, Content]]:
    assets = []
    for entry in as_list(object_at(body, "contentList").get("content")):
        kind = as_text(entry.get("contentType")).lower()
        if f"{kind}s" not in KINDS:
            raise ApiError("400000", f"{entry.get('contentType')!r} is not a kind of content that is known here.")
        assets.append((kind, found(call, f"{kind}s", as_text(entry.get("id")))))
    if not assets:
        raise ApiError("400000", "The request names no content.")
    return assets


def _labels_on(call: ApiCall, assets: list[tuple[str, Content]]) -> Document:
    luids = {item.luid for _, item in assets}
    shown = [resources.label(call.site, put) for put in call.site.labels.values() if put.content in luids]
    return {"labelList": {"label": shown}}


@route("/labels", "POST", since="3.21", scope=READ)
def read_labels(call: ApiCall) -> Document:
    """The labels on some assets. It is a POST, but it only reads."""
    return _labels_on(call, _assets(call, call.body()))


@route("/labels", "PUT", since="3.21", scope=UPDATE)
def put_labels(call: ApiCall) -> Document:
    """Put a label on some assets, or change it there."""
    body = call.body()
    assets, wish = _assets(call, body), object_at(body, "label")
    value = as_text(wish.get("value"))
    if not value:
        raise ApiError("400000", "A label needs a value.")
    for kind, item in assets:
        add_label(
            call.world,
            call.site,
            kind=kind,
            item=item,
            value=value,
            message=as_text(wish.get("message")),
            user=call.user.luid,
            category=CATEGORIES.get(value.lower(), "warning"),
            active=as_bool(wish.get("active"), True),
            elevated=as_bool(wish.get("elevated"), False),
        )
    return _labels_on(call, assets)


@route("/labels", "DELETE", since="3.21", scope=UPDATE)
def delete_labels(call: ApiCall) -> Result:
    """Take the labels off some assets, or only those of the categories asked for."""
    luids = {item.luid for _, item in _assets(call, call.body())}
    categories = {name.lower() for name in call.query.get("categories", "").split(",") if name}
    for put in list(call.site.labels.values()):
        if put.content in luids and (not categories or put.category.lower() in categories):
            _remove(call, put)
    return {}, 204


def _remove(call: ApiCall, put: Label) -> None:
    del call.site.labels[put.luid]
    emit_label(call.world, call.site, put, "LabelDeleted")


def _label(call: ApiCall, luid: str) -> Label:
    put: Label = find(call.site.labels, luid, "404034", "Label")
    return put


@route("/labels/<luid>", since="3.21", scope=READ)
def get_label(call: ApiCall, luid: str) -> Document:
    """One label."""
    return {"label": resources.label(call.site, _label(call, luid))}


@route("/labels/<luid>", "PUT", since="3.21", scope=UPDATE)
def update_label(call: ApiCall, luid: str) -> Document:
    """Change one label."""
    put, wish = _label(call, luid), object_at(call.body(), "label")
    put.value = as_text(wish.get("value")) or put.value
    _change(call, put, wish, ("active", "elevated"))
    return {"label": resources.label(call.site, put)}


def _change(call: ApiCall, put: Label, wish: Document, names: tuple[str, str]) -> None:
    active, elevated = names
    put.message = as_text(wish.get("message", put.message))
    put.active, put.elevated = as_bool(wish.get(active), put.active), as_bool(wish.get(elevated), put.elevated)
    put.updated_at = call.world.now()
    emit_label(call.world, call.site, put, "LabelUpdated")


@route("/labels/<luid>", "DELETE", since="3.21", scope=UPDATE)
def delete_label(call: ApiCall, luid: str) -> Result:
    """Take one label off."""
    _remove(call, _label(call, luid))
    return {}, 204


def _warnings(call: ApiCall, luid: str) -> list[Label]:
    return [put for put in call.site.labels.values() if put.content == luid and put.value in WARNINGS]


def _listed(call: ApiCall, luid: str) -> Document:
    shown = [resources.warning(call.site, put) for put in _warnings(call, luid)]
    return {"dataQualityWarningList": {"dataQualityWarning": shown}}


@route(f"/dataQualityWarnings/{WARNED}/<luid>", since="3.5", scope=WARNINGS_READ)
def read_warnings(call: ApiCall, kind: str, luid: str) -> Document:
    """The warnings on some content."""
    found(call, f"{kind}s", luid)
    return _listed(call, luid)


@route(f"/dataQualityWarnings/{WARNED}/<luid>", "POST", since="3.5", scope=WARNINGS_UPDATE)
def add_warning(call: ApiCall, kind: str, luid: str) -> Document:
    """Warn of some content; there is one warning of each type."""
    item, wish = found(call, f"{kind}s", luid), object_at(call.body(), "dataQualityWarning")
    value = as_text(wish.get("type"))
    if value not in WARNINGS:
        raise ApiError("400000", f"{value!r} is not a type of warning; there are {', '.join(WARNINGS)}.")
    if any(put.value == value for put in _warnings(call, luid)):
        raise ApiError("409057", f"There is a warning {value} on {luid!r} already.")
    add_label(
        call.world,
        call.site,
        kind=kind,
        item=item,
        value=value,
        message=as_text(wish.get("message")),
        user=call.user.luid,
        active=as_bool(wish.get("isActive"), default=True),
        elevated=as_bool(wish.get("isSevere"), default=False),
    )
    return _listed(call, luid)


@route(f"/dataQualityWarnings/{WARNED}/<luid>", "PUT", since="3.5", scope=WARNINGS_UPDATE)
def update_warnings(call: ApiCall, kind: str, luid: str) -> Document:
    """Change the warnings on some content."""
    found(call, f"{kind}s", luid)
    wish = object_at(call.body(), "dataQualityWarning")
    for put in _warnings(call, luid):
        _change(call, put, wish, ("isActive", "isSevere"))
    return _listed(call, luid)


@route(f"/dataQualityWarnings/{WARNED}/<luid>", "DELETE", since="3.5", scope=WARNINGS_UPDATE)
def clear_warnings(call: ApiCall, kind: str, luid: str) -> Result:
    """Take all warnings off some content."""
    found(call, f"{kind}s", luid)
    for put in _warnings(call, luid):
        _remove(call, put)
    return {}, 204


@route("/dataQualityWarnings/<luid>", since="3.5", scope=WARNINGS_READ)
def get_warning(call: ApiCall, luid: str) -> Document:
    """One warning."""
    return {"dataQualityWarning": resources.warning(call.site, _label(call, luid))}


@route("/dataQualityWarnings/<luid>", "PUT", since="3.5", scope=WARNINGS_UPDATE)
def update_warning(call: ApiCall, luid: str) -> Document:
    """Change one warning."""
    put = _label(call, luid)
    _change(call, put, object_at(call.body(), "dataQualityWarning"), ("isActive", "isSevere"))
    return {"dataQualityWarning": resources.warning(call.site, put)}


@route("/dataQualityWarnings/<luid>", "DELETE", since="3.5", scope=WARNINGS_UPDATE)
def delete_warning(call: ApiCall, luid: str) -> Result:
    """Take one warning off."""
    _remove(call, _label(call, luid))
    return {}, 204
