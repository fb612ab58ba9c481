"""Tags on workbooks, data sources, views and flows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from urllib.parse import quote

from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import tags as labels
from tableau_rest.protocol.luid import luid_of

_SCOPE = "tableau:workbook_tags:update or tableau:datasource_tags:update"
KINDS = ("workbook", "datasource", "view", "flow")


class Taggable(Protocol):
    """A Workbook, Datasource, View or Flow, or a Content that names one."""

    @property
    def kind(self) -> str: ...
    @property
    def luid(self) -> str: ...


class Tags(Connection):
    """Tags."""

    @endpoint(
        "PUT workbooks|datasources|views|flows/{id}/tags",
        since="2.6",
        scope=_SCOPE,
        codes="404 NotFound",
    )
    def add_tags(self, content: Taggable, tags: Iterable[str]) -> tuple[str, ...]:
        """Adds tags to those the content has; returns all of them. A tag that is there already is no error.

        May make Tableau send an Updated event for the content. Raises ValueError for a tag that cannot be written.
        """
        body = {"tags": {"tag": [{"label": _quoted(tag)} for tag in _several(tags)]}}
        return labels(self.request("PUT", f"{_place(content)}/tags", json=body, repeat=True))

    @endpoint(
        "DELETE workbooks|datasources|views|flows/{id}/tags/{tag}",
        since="2.6",
        scope=_SCOPE,
        codes="404 NotFound",
    )
    def delete_tag(self, content: Taggable, tag: str) -> None:
        """Takes one tag off the content."""
        self.request("DELETE", f"{_place(content)}/tags/{quote(_checked(tag), safe='')}")

    @endpoint("PUT tags:batchCreate", since="3.9", scope=_SCOPE, codes="404 NotFound")
    def add_tags_to(self, contents: Iterable[Taggable], tags: Iterable[str]) -> None:
        """Adds the same tags to many pieces of content in one call."""
        self.request("PUT", "tags:batchCreate", json=_batch(contents, tags), repeat=True)

    @endpoint("PUT tags:batchDelete", since="3.9", scope=_SCOPE, codes="404 NotFound")
    def delete_tags_from(self, contents: Iterable[Taggable], tags: Iterable[str]) -> None:
        """Takes the same tags off many pieces of content in one call."""
        self.request("PUT", "tags:batchDelete", json=_batch(contents, tags), repeat=True)


def _batch(contents: Iterable[Taggable], tags: Iterable[str]) -> responses.Json:
    labels = [{"label": _quoted(tag)} for tag in _several(tags)]
    listed = [{"id": luid_of(content), "contentType": content.kind.capitalize()} for content in contents]
    if not listed:
        raise ValueError("no content was given")
    return {"tagBatch": {"tags": {"tag": labels}, "contents": {"content": listed}}}


def _place(content: Taggable) -> str:
    if content.kind not in KINDS:
        raise ValueError(f"a {content.kind} has no tags here; {', '.join(KINDS)} have")
    return f"{content.kind}s/{luid_of(content)}"


def _several(tags: Iterable[str]) -> list[str]:
    found = [tags] if isinstance(tags, str) else list(tags)
    if not found:
        raise ValueError("no tags were given")
    return found


def _checked(tag: str) -> str:
    if not tag.strip() or '"' in tag or not tag.isprintable():
        raise ValueError(f"not a tag: {tag!r} (empty, or with a double quote or a line break in it)")
    return tag.strip()


def _quoted(tag: str) -> str:
    """Tableau splits a label at blanks and commas unless it stands in double quotes."""
    checked = _checked(tag)
    return f'"{checked}"' if " " in checked or "," in checked else checked
