"""Tags on workbooks, data sources, views and flows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.endpoints.permissions import HasKind
from tableau_rest.protocol import fields
from tableau_rest.protocol.luid import luid_of
from tableau_rest.protocol.responses import Json

_SCOPE = "tableau:workbook_tags:update or tableau:datasource_tags:update"
KINDS = ("workbook", "datasource", "view", "flow")


class Tags(Connection):
    """Tags.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_workbooks_and_views.htm
    """

    @endpoint("PUT workbooks|datasources|views|flows/{id}/tags", since="2.6", scope=_SCOPE, codes="404 NotFound")
    def add_tags(self, content: HasKind, tags: Iterable[str]) -> tuple[str, ...]:
        """Add tags to those the content has; return all of them. A tag that exists already is not an error.

        May cause an Updated event for the content. Raises ValueError for a text that cannot be a tag.
        """
        response = self.request("PUT", f"{_path(content)}/tags", json={"tags": _labels(tags)}, repeat=True)
        return fields.tags(response)

    @endpoint(
        "DELETE workbooks|datasources|views|flows/{id}/tags/{tag}", since="2.6", scope=_SCOPE, codes="404 NotFound"
    )
    def delete_tag(self, content: HasKind, tag: str) -> None:
        """Remove one tag from the content. Raises ValueError for one that is, or has between slashes, `.` or `..`.

        In an address these lead to the content itself; `delete_tags_from` can remove such a tag.
        """
        name = _checked(tag)
        if not {".", ".."}.isdisjoint(re.split(r"[/\\]", name)):
            raise ValueError(f"the tag {name!r} cannot be in an address")
        self.request("DELETE", f"{_path(content)}/tags/{quote(name, safe='')}")

    @endpoint("PUT tags:batchCreate", since="3.9", scope=_SCOPE, codes="404 NotFound")
    def add_tags_to(self, contents: Iterable[HasKind], tags: Iterable[str]) -> None:
        """Add the same tags to several contents in one call."""
        self.request("PUT", "tags:batchCreate", json=_batch(contents, tags), repeat=True)

    @endpoint("PUT tags:batchDelete", since="3.9", scope=_SCOPE, codes="404 NotFound")
    def delete_tags_from(self, contents: Iterable[HasKind], tags: Iterable[str]) -> None:
        """Remove the same tags from several contents in one call."""
        self.request("PUT", "tags:batchDelete", json=_batch(contents, tags), repeat=True)


def _batch(contents: Iterable[HasKind], tags: Iterable[str]) -> Json:
    labels = _labels(tags)
    listed = [{"id": luid_of(content), "contentType": content.kind.capitalize()} for content in contents]
    if not listed:
        raise ValueError("no content was given")
    return {"tagBatch": {"tags": labels, "contents": {"content": listed}}}


def _path(content: HasKind) -> str:
    if content.kind not in KINDS:
        raise ValueError(f"a {content.kind} has no tags; these have: {', '.join(KINDS)}")
    return f"{content.kind}s/{luid_of(content)}"


def _labels(tags: Iterable[str]) -> Json:
    checked = [_checked(tag) for tag in ([tags] if isinstance(tags, str) else tags)]
    if not checked:
        raise ValueError("no tags were given")
    # Tableau splits a label at spaces and commas unless it is in double quotes.
    return {"tag": [{"label": f'"{tag}"' if " " in tag or "," in tag else tag} for tag in checked]}


def _checked(tag: str) -> str:
    if not tag.strip() or '"' in tag or not tag.isprintable():
        raise ValueError(f"not a tag: {tag!r} (empty, or with a double quote or a line break in it)")
    return tag.strip()
