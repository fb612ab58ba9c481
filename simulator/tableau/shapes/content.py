"""How content is described to callers. Numbers are text where Tableau's JSON has text."""

from simulator.tableau.shapes.people import owner, reference
from simulator.tableau.wire import Answer, stamp
from simulator.world.site import Content, Datasource, Flow, Site, View, Workbook


def tags(item: Content) -> Answer:
    """The tags of some content."""
    return {"tag": [{"label": label} for label in item.tags]}


def _content(site: Site, item: Content) -> Answer:
    return {
        "id": item.luid,
        "name": item.name,
        "description": item.description or None,
        "contentUrl": item.content_url,
        "createdAt": stamp(item.created_at),
        "updatedAt": stamp(item.updated_at),
        "project": reference(site.projects, item.project),
        "owner": owner(site, item.owner),
        "tags": tags(item),
    }


def address(base_url: str, site: Site, path: str) -> str:
    """Where a browser shows something; the default site has no name in it."""
    return f"{base_url}/#/site/{site.content_url}/{path}" if site.content_url else f"{base_url}/#/{path}"


def workbook(site: Site, item: Workbook, base_url: str, *, views: bool = False) -> Answer:
    """A workbook; a single one comes with its views, a listed one without."""
    described = _content(site, item) | {
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
        described["views"] = {"view": [_sheet(site.views[luid]) for luid in item.views]}
    return described


def _sheet(item: View) -> Answer:
    times: Answer = {"createdAt": stamp(item.created_at), "updatedAt": stamp(item.updated_at)}
    short = item.content_url.rpartition("/")[2]
    described: Answer = {"id": item.luid, "name": item.name, "contentUrl": item.content_url, "viewUrlName": short}
    return described | times | {"tags": tags(item)}


def view(site: Site, item: View, base_url: str, *, usage: bool = False) -> Answer:
    """A view, with how often it was looked at if asked for."""
    del base_url  # views have no webpageUrl
    described = _content(site, item) | {
        "viewUrlName": item.content_url.rpartition("/")[2],
        "sheetType": "dashboard",
        "workbook": {"id": item.workbook},
    }
    if usage:
        described["usage"] = {"totalViewCount": str(item.hits)}
    return described


def datasource(site: Site, item: Datasource, base_url: str) -> Answer:
    """A published data source."""
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


def flow(site: Site, item: Flow, base_url: str) -> Answer:
    """A flow."""
    return _content(site, item) | {"webpageUrl": address(base_url, site, f"flows/{item.number}"), "fileType": "tflx"}


def connection(item: Datasource, luid: str) -> Answer:
    """How some content is connected to a data source."""
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
