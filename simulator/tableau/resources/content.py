"""The representations of content. Numbers are text where Tableau's JSON has text."""

from __future__ import annotations

from simulator.tableau.resources.users import owner, reference
from simulator.tableau.wire import Document, format_time
from simulator.world.site import Content, Datasource, Flow, Site, View, Workbook


def tags(item: Content) -> Document:
    """Return the tags of content."""
    return {"tag": [{"label": label} for label in item.tags]}


def _content(site: Site, item: Content) -> Document:
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description or None,
        "contentUrl": item.content_url,
        "createdAt": format_time(item.created_at),
        "updatedAt": format_time(item.updated_at),
        "project": reference(site.projects, item.project),
        "owner": owner(site, item.owner),
        "tags": tags(item),
    }


def address(base_url: str, site: Site, path: str) -> str:
    """Return an address for browsers; that of the default site has no site name."""
    return f"{base_url}/#/site/{site.content_url}/{path}" if site.content_url else f"{base_url}/#/{path}"


def workbook(site: Site, item: Workbook, base_url: str, *, views: bool = False) -> Document:
    """Return a workbook; only a single one has its views, a listed one does not."""
    document = _content(site, item) | {
        "webpageUrl": address(base_url, site, f"workbooks/{item.number}"),
        "showTabs": str(item.show_tabs).lower(),
        "size": str(item.size),
        "sheetCount": str(len(item.views)),
        "hasExtracts": item.has_extracts,
        "encryptExtracts": "false",
        "defaultViewId": item.views[0] if item.views else None,
        "location": {"id": item.project, "type": "Project", "name": reference(site.projects, item.project)["name"]},
    }
    if views:
        document["views"] = {
            "view": [
                {
                    "id": sheet.luid,
                    "name": sheet.name,
                    "contentUrl": sheet.content_url,
                    "viewUrlName": sheet.content_url.rpartition("/")[2],
                    "createdAt": format_time(sheet.created_at),
                    "updatedAt": format_time(sheet.updated_at),
                    "tags": tags(sheet),
                }
                for sheet in (site.views[luid] for luid in item.views)
            ]
        }
    return document


def view(site: Site, item: View, base_url: str, *, usage: bool = False) -> Document:
    """Return a view, with its number of visits if `usage` is set. Views have no webpageUrl."""
    del base_url
    document = _content(site, item) | {
        "viewUrlName": item.content_url.rpartition("/")[2],
        "sheetType": "dashboard",
        "workbook": {"id": item.workbook},
    }
    if usage:
        document["usage"] = {"totalViewCount": str(item.hits)}
    return document


def datasource(site: Site, item: Datasource, base_url: str) -> Document:
    """Return a published data source."""
    readers = sum(item.luid in workbook.datasources for workbook in site.workbooks.values())
    return _content(site, item) | {
        "type": item.type,
        "webpageUrl": address(base_url, site, f"datasources/{item.number}"),
        "isCertified": item.is_certified,
        "certificationNote": item.certification_note or None,
        "hasExtracts": item.has_extracts,
        "encryptExtracts": "false",
        "useRemoteQueryAgent": False,
        "serverName": item.server,
        "connectedWorkbooksCount": str(readers),
        "isPublished": "true",
        "askData": {"enablement": "SiteDefault"},
    }


def flow(site: Site, item: Flow, base_url: str) -> Document:
    """Return a flow, which has no contentUrl."""
    return _content(site, item) | {
        "contentUrl": None,
        "webpageUrl": address(base_url, site, f"flows/{item.number}"),
        "fileType": "tflx",
    }


def connection(item: Datasource, luid: str) -> Document:
    """Return the connection of content to a data source."""
    return {
        "id": luid,
        "type": item.type,
        "serverAddress": item.server,
        "serverPort": "",
        "userName": "svc_tableau",
        "embedPassword": True,
        "authenticationType": "UsernamePassword",
        "datasource": {"id": item.luid, "name": item.name},
    }
