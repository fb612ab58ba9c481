"""Labels on assets, and the older data quality warnings where labels are not there yet."""

from __future__ import annotations

from tableau_rest import models
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol import responses
from tableau_rest.protocol.fields import find_objects, objects
from tableau_rest.protocol.luid import HasLuid, luid_of

LABELLED = (
    "workbook",
    "datasource",
    "flow",
    "table",
    "column",
    "database",
    "virtualconnection",
    "virtualconnectiontable",
)
WARNED = ("datasource", "table", "database", "flow")
WARNINGS = ("WARNING", "DEPRECATED", "STALE", "SENSITIVE_DATA", "MAINTENANCE")
_CATALOG = "403 Forbidden without Tableau Catalog (Data Management)"


class Labels(Connection):
    """Labels and data quality warnings. Other than certification they need Data Management on the site."""

    @endpoint("POST labels", since="3.21", scope="tableau:labels:read", codes=_CATALOG)
    def labels(self, content_type: str, luid: str | HasLuid) -> tuple[models.Label, ...]:
        """The labels on an asset. `content_type` as in "workbook" or "table"."""
        found = self.request("POST", "labels", json=_about(content_type, luid), repeat=True)
        return _labels(found)

    @endpoint("PUT labels", since="3.21", scope="tableau:labels:update", codes=_CATALOG)
    def put_label(
        self,
        content_type: str,
        luid: str | HasLuid,
        value: str,
        *,
        message: str = "",
        active: bool = True,
        elevated: bool = False,
    ) -> tuple[models.Label, ...]:
        """Puts a label on an asset, or changes the one of that value: "stale", "deprecated", "certified", …"""
        if not value.strip():
            raise ValueError("a label needs a value")
        label = {"value": value, "message": message, "active": active, "elevated": elevated}
        body = {**_about(content_type, luid), "label": label}
        return _labels(self.request("PUT", "labels", json=body, repeat=True))

    @endpoint("DELETE labels/{id}", since="3.21", scope="tableau:labels:delete", codes=_CATALOG)
    def delete_label(self, luid: str | HasLuid) -> None:
        """Takes a label off, by the label's own LUID (`labels()` tells it)."""
        self.request("DELETE", f"labels/{luid_of(luid)}")

    @endpoint("GET dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def quality_warnings(self, content_type: str, luid: str | HasLuid) -> tuple[models.QualityWarning, ...]:
        """The data quality warnings on a datasource, table, database or flow."""
        return _warnings(self.request("GET", _warned(content_type, luid)))

    @endpoint("POST dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def add_quality_warning(
        self,
        content_type: str,
        luid: str | HasLuid,
        message: str,
        *,
        type: str = "WARNING",  # noqa: A002  Tableau's own word
        is_active: bool = True,
        is_severe: bool = False,
    ) -> tuple[models.QualityWarning, ...]:
        """Puts a data quality warning on an asset. Prefer `put_label` where the server is 2023.3 or later."""
        if type not in WARNINGS:
            raise ValueError(f"not a type of warning: {type!r} (there are {', '.join(WARNINGS)})")
        warning = {"type": type, "message": message, "isActive": is_active, "isSevere": is_severe}
        return _warnings(self.request("POST", _warned(content_type, luid), json={"dataQualityWarning": warning}))

    @endpoint("DELETE dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def delete_quality_warnings(self, content_type: str, luid: str | HasLuid) -> None:
        """Takes all data quality warnings off an asset."""
        self.request("DELETE", _warned(content_type, luid))


def _about(content_type: str, luid: str | HasLuid) -> responses.Json:
    if content_type.lower() not in LABELLED:
        raise ValueError(f"a {content_type} has no labels; there are those of {', '.join(LABELLED)}")
    return {"contentList": {"content": [{"contentType": content_type, "id": luid_of(luid)}]}}


def _warned(content_type: str, luid: str | HasLuid) -> str:
    if content_type not in WARNED:
        raise ValueError(f"a {content_type} has no data quality warnings; {', '.join(WARNED)} have")
    return f"dataQualityWarnings/{content_type}/{luid_of(luid)}"


def _labels(document: responses.Json) -> tuple[models.Label, ...]:
    found = list(objects(document, "labelList", "label")) or find_objects(document, "label")
    return tuple(map(models.Label.from_json, found))


def _warnings(document: responses.Json) -> tuple[models.QualityWarning, ...]:
    name = "dataQualityWarning"
    found = list(objects(document, f"{name}List", name)) or find_objects(document, name)
    return tuple(map(models.QualityWarning.from_json, found))
