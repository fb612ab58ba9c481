"""Tags on content, one piece at a time or many at once.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm#add_tags_to_workbook
"""

import re
from collections.abc import Iterable

from simulator.tableau import resources
from simulator.tableau.endpoints.content import FOUR, KINDS, found
from simulator.tableau.route import ApiCall, Result, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_list, as_text, object_at
from simulator.world.site import Content

# An unquoted label ends at a blank or a comma; quotes hold one together.
LABEL = re.compile(r'"([^"]*)"|([^\s,"]+)')


def labels(written: str) -> list[str]:
    """The tags one written label stands for."""
    return [quoted or bare for quoted, bare in LABEL.findall(written) if quoted or bare]


def _wished(body: Document) -> list[str]:
    wished = [
        label for tag in as_list(object_at(body, "tags").get("tag")) for label in labels(as_text(tag.get("label")))
    ]
    if not wished:
        raise ApiError("400000", "There is no tag in the request.")
    return wished


def _add(item: Content, wished: Iterable[str]) -> None:
    for label in wished:
        if label.lower() not in {tag.lower() for tag in item.tags}:
            item.tags.append(label)


def _scope(kind: str) -> str:
    return f"tableau:{KINDS[kind].one}_tags:update"


@route(f"/{FOUR}/<luid>/tags", "PUT", scope="*")
def add_tags(call: ApiCall, kind: str, luid: str) -> Document:
    """Add tags; gives all there are now."""
    require_scope(call, _scope(kind))
    item = found(call, kind, luid)
    _add(item, _wished(call.body()))
    call.world.changed()
    return {"tags": resources.tags(item)}


@route(f"/{FOUR}/<luid>/tags/<label>", "DELETE", scope="*")
def delete_tag(call: ApiCall, kind: str, luid: str, label: str) -> Result:
    """Take a tag off; one that is not there is no error."""
    require_scope(call, _scope(kind))
    item = found(call, kind, luid)
    gone = {name.lower() for name in (label, *labels(label))}
    item.tags = [tag for tag in item.tags if tag.lower() not in gone]
    call.world.changed()
    return {}, 204


@route("//tags:batchCreate", "PUT", since="3.9", scope="*")  # as TSC asks
@route("/tags:batchCreate", "PUT", since="3.9", scope="*")
def add_many(call: ApiCall) -> Document:
    """Add tags to several pieces of content."""
    items, body = _batch(call)
    wished = _wished(body)
    for item in items:
        _add(item, wished)
    return _batched(items, wished)


@route("//tags:batchDelete", "PUT", since="3.9", scope="*")
@route("/tags:batchDelete", "PUT", since="3.9", scope="*")
def delete_many(call: ApiCall) -> Document:
    """Take tags off several pieces of content."""
    items, body = _batch(call)
    wished = _wished(body)
    gone = {label.lower() for label in wished}
    for item in items:
        item.tags = [tag for tag in item.tags if tag.lower() not in gone]
    return _batched(items, wished)


def _batched(items: list[Content], wished: list[str]) -> Document:
    contents = {"content": [{"id": item.luid, "contentType": type(item).__name__} for item in items]}
    return {"tagBatch": {"tags": {"tag": [{"label": label} for label in wished]}, "contents": contents}}


def _batch(call: ApiCall) -> tuple[list[Content], Document]:
    body = object_at(call.body(), "tagBatch")
    items = []
    for entry in as_list(object_at(body, "contents").get("content")):
        luid, many = as_text(entry.get("id")), f"{as_text(entry.get('contentType')).lower()}s"
        kinds = [many] if many in KINDS else list(KINDS)
        kind = next((kind for kind in kinds if luid in call.site.content(KINDS[kind].one)), kinds[0])
        require_scope(call, _scope(kind))
        items.append(found(call, kind, luid))
    return items, body
