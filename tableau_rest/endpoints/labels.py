"""Labels on assets, and the older data quality warnings for servers without labels."""

from __future__ import annotations

from tableau_rest import errors, models
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import endpoint
from tableau_rest.protocol.fields import BARE, Data, find_objects, objects
from tableau_rest.protocol.luid import HasLuid, luid_of
from tableau_rest.protocol.responses import Json

LABEL_TYPES = (
    "workbook",
    "datasource",
    "flow",
    "table",
    "column",
    "database",
    "virtualconnection",
    "virtualconnectiontable",
)
WARNING_CONTENT = ("datasource", "table", "database", "flow")
WARNING_TYPES = ("WARNING", "DEPRECATED", "STALE", "SENSITIVE_DATA", "MAINTENANCE")
_CATALOG = "403 Forbidden without Tableau Catalog (Data Management)"


class Labels(Connection):
    """Labels and data quality warnings. Except for certification they need Data Management on the site.

    https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_ref_metadata.htm
    """

    @endpoint("POST labels", since="3.21", scope="tableau:labels:read", codes=_CATALOG)
    def labels(self, content_type: str, luid: str | HasLuid) -> tuple[models.Label, ...]:
        """Return the labels on an asset. `content_type` as in "workbook" or "table"."""
        return _read_labels(self.request("POST", "labels", json=_content_list(content_type, luid), repeat=True))

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
        """Add a label such as "stale" or "deprecated" to an asset, or change its label of that value."""
        if not value.strip():
            raise ValueError("a label needs a value")
        label = {"value": value, "message": message, "active": active, "elevated": elevated}
        body = {**_content_list(content_type, luid), "label": label}
        return _read_labels(self.request("PUT", "labels", json=body, repeat=True))

    @endpoint("DELETE labels/{id}", since="3.21", scope="tableau:labels:delete", codes=_CATALOG)
    def delete_label(self, luid: str | HasLuid) -> None:
        """Delete a label by its own LUID, which `labels()` returns."""
        self.request("DELETE", f"labels/{luid_of(luid)}")

    @endpoint("GET dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def quality_warnings(self, content_type: str, luid: str | HasLuid) -> tuple[models.QualityWarning, ...]:
        """Return the data quality warnings on a datasource, table, database or flow."""
        return _read_warnings(self.request("GET", _warning_path(content_type, luid)))

    @endpoint("POST dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def add_quality_warning(
        self,
        content_type: str,
        luid: str | HasLuid,
        message: str,
        *,
        type: str = "WARNING",  # noqa: A002 - the name in Tableau's API
        is_active: bool = True,
        is_severe: bool = False,
    ) -> tuple[models.QualityWarning, ...]:
        """Add a data quality warning to an asset. Prefer `put_label` on servers from 2023.3 on."""
        if type not in WARNING_TYPES:
            raise ValueError(f"unknown type of warning {type!r}; choose one of: {', '.join(WARNING_TYPES)}")
        warning = {"type": type, "message": message, "isActive": is_active, "isSevere": is_severe}
        path = _warning_path(content_type, luid)
        return _read_warnings(self.request("POST", path, json={"dataQualityWarning": warning}))

    @endpoint("DELETE dataQualityWarnings/{type}/{id}", since="3.5", codes=_CATALOG)
    def delete_quality_warnings(self, content_type: str, luid: str | HasLuid) -> None:
        """Delete all data quality warnings of an asset."""
        self.request("DELETE", _warning_path(content_type, luid))

    @endpoint("DELETE dataQualityWarnings/{id}", since="3.5", codes=_CATALOG)
    def delete_quality_warning(self, luid: str | HasLuid) -> None:
        """Delete one data quality warning by its own LUID, which `quality_warnings()` returns."""
        self.request("DELETE", f"dataQualityWarnings/{luid_of(luid)}")


def _content_list(content_type: str, luid: str | HasLuid) -> Json:
    if content_type.lower() not in LABEL_TYPES:
        raise ValueError(f"a {content_type} has no labels; these have: {', '.join(LABEL_TYPES)}")
    return {"contentList": {"content": [{"contentType": content_type, "id": luid_of(luid)}]}}


def _warning_path(content_type: str, luid: str | HasLuid) -> str:
    if content_type not in WARNING_CONTENT:
        raise ValueError(f"a {content_type} has no data quality warnings; these have: {', '.join(WARNING_CONTENT)}")
    return f"dataQualityWarnings/{content_type}/{luid_of(luid)}"


def _read_labels(document: Json) -> tuple[models.Label, ...]:
    return tuple(map(models.Label.from_json, _find(document, "label")))


def _read_warnings(document: Json) -> tuple[models.QualityWarning, ...]:
    return tuple(map(models.QualityWarning.from_json, _find(document, "dataQualityWarning")))


def _find(document: Json, name: str) -> list[Data]:
    """Return the objects of a list whose wrapping differs from server to server."""
    if BARE in document:
        return list(objects(document, name))
    if not any(key.startswith(name) for key in document):
        raise errors.InvalidResponse(f"Tableau's response has no {name}List")
    return list(objects(document, f"{name}List", name)) or list(find_objects(document, name))
