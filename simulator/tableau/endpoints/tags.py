"""Tags on content, one piece at a time or many at once.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm#add_tags_to_workbook
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from simulator.tableau import resources
from simulator.tableau.endpoints.content import ANY_KIND, KINDS, find_content
from simulator.tableau.route import ApiCall, Result, require_scope, route
from simulator.tableau.wire import ApiError, Document, as_list, as_text, object_at
from simulator.world.site import Content

# A label without quotation marks ends at a space or a comma.
LABEL = re.compile(r'"([^"]*)"|([^\s,"]+)')


def parse_labels(text: str) -> list[str]:
    """Return the tags in one label as the client wrote it."""
    return [quoted or bare for quoted, bare in LABEL.findall(text) if quoted or bare]


def _labels(body: Document) -> list[str]:
    labels = [
        label
        for tag in as_list(object_at(body, "tags").get("tag"))
        for label in parse_labels(as_text(tag.get("label")))
    ]
    if not labels:
        raise ApiError("400000", "The request has no tag.")
    return labels


def _add(item: Content, labels: Iterable[str]) -> None:
    for label in labels:
        if label.lower() not in {tag.lower() for tag in item.tags}:
            item.tags.append(label)


def _scope(kind: str) -> str:
    return f"tableau:{KINDS[kind].one}_tags:update"


@route(f"/{ANY_KIND}/<luid>/tags", "PUT", scope="*")
def add_tags(call: ApiCall, kind: str, luid: str) -> Document:
    """Add tags and return all tags."""
    require_scope(call, _scope(kind))
    item = find_content(call, kind, luid)
    _add(item, _labels(call.body()))
    call.world.changed()
    return {"tags": resources.tags(item)}


@route(f"/{ANY_KIND}/<luid>/tags/<label>", "DELETE", scope="*")
def delete_tag(call: ApiCall, kind: str, luid: str, label: str) -> Result:
    """Delete a tag; a missing tag is ignored."""
    require_scope(call, _scope(kind))
    item = find_content(call, kind, luid)
    gone = {name.lower() for name in (label, *parse_labels(label))}
    item.tags = [tag for tag in item.tags if tag.lower() not in gone]
    call.world.changed()
    return {}, 204


# TSC leaves out the site.
@route("//tags:batchCreate", "PUT", since="3.9", scope="*")
@route("/tags:batchCreate", "PUT", since="3.9", scope="*")
def add_many(call: ApiCall) -> Document:
    """Add tags to several pieces of content."""
    items, body = _batch(call)
    labels = _labels(body)
    for item in items:
        _add(item, labels)
    return _batch_response(items, labels)


@route("//tags:batchDelete", "PUT", since="3.9", scope="*")
@route("/tags:batchDelete", "PUT", since="3.9", scope="*")
def delete_many(call: ApiCall) -> Document:
    """Delete tags from several pieces of content."""
    items, body = _batch(call)
    labels = _labels(body)
    gone = {label.lower() for label in labels}
    for item in items:
        item.tags = [tag for tag in item.tags if tag.lower() not in gone]
    return _batch_response(items, labels)


def _batch_response(items: list[Content], labels: list[str]) -> Document:
    contents = {"content": [{"id": item.luid, "contentType": type(item).__name__} for item in items]}
    return {"tagBatch": {"tags": {"tag": [{"label": label} for label in labels]}, "contents": contents}}


def _batch(call: ApiCall) -> tuple[list[Content], Document]:
    body = object_at(call.body(), "tagBatch")
    items = []
    for entry in as_list(object_at(body, "contents").get("content")):
        luid, many = as_text(entry.get("id")), f"{as_text(entry.get('contentType')).lower()}s"
        kinds = [many] if many in KINDS else list(KINDS)
        kind = next((kind for kind in kinds if luid in call.site.content(KINDS[kind].one)), kinds[0])
        require_scope(call, _scope(kind))
        items.append(find_content(call, kind, luid))
    return items, body
