"""Publishing a workbook or data source: one request with a description and a file.

https://help.tableau.com/current/api/rest_api/en-us/REST/rest_api_concepts_publish.htm
"""

from __future__ import annotations

from email.message import Message
from email.parser import BytesParser

from flask import request

from simulator.tableau import resources
from simulator.tableau.endpoints.content import KINDS
from simulator.tableau.route import ApiCall, Result, find, require_scope, route
from simulator.tableau.wire import ApiError, as_bool, as_text, object_at, read
from simulator.world.changes import publish
from simulator.world.jobs import Job
from simulator.world.site import Datasource, Workbook

# https://github.com/tableau/tableau-mcp expects these codes for content that exists already.
EXISTS = {"workbooks": "403130", "datasources": "403007"}
KIND = "<any(workbooks,datasources):kind>"


@route(f"/{KIND}", "POST", scope="*")
def publish_content(call: ApiCall, kind: str) -> Result:
    """Publish a file; with `overwrite` it replaces the content of the same name, with `asJob` the response is a job."""
    require_scope(call, f"tableau:{kind}:create")
    if as_bool(call.query.get("append"), default=False):
        raise ApiError("404003", "The simulator does not support append=true.")
    known, parts = KINDS[kind], _parts()
    given = object_at(read(parts.get("request_payload", b""), ""), known.one)
    name, project = as_text(given.get("name")).strip(), as_text(object_at(given, "project").get("id"))
    if not name or not parts.get(f"tableau_{known.one}"):
        raise ApiError("400003", "Publishing needs a name and a file.")
    default = call.site.default_project
    project = (find(call.site.projects, project, "404005", "Project") if project else default).luid
    same = [item for item in call.site.content(known.one).values() if (item.name, item.project) == (name, project)]
    if same and not as_bool(call.query.get("overwrite"), default=False):
        rule = "may not be overwritten without the 'overwrite' flag set to 'true'"
        raise ApiError(EXISTS[kind], f"The {known.noun.lower()} '{name}' already exists and {rule}.")
    luid = same[0].luid if same else ""
    if isinstance(old := same[0] if same else None, Workbook | Datasource):
        old.revision, old.updated_at, old.owner = old.revision + 1, call.world.now(), call.user.luid
        call.world.emit(call.site, f"{known.noun}Updated", name=name, luid=luid)
    else:
        event = publish(call.world, call.site, known.one, name=name, project=project, owner=call.user.luid)
        luid = str(event["resource_luid"])
    item = call.site.content(known.one)[luid]
    item.description = as_text(given.get("description")) or item.description
    if isinstance(item, Workbook):
        item.show_tabs = as_bool(given.get("showTabs"), item.show_tabs)
    if as_bool(call.query.get("asJob"), default=False):
        now = call.world.now()
        kinds = (f"Publish{known.noun}", f"publish_{known.one}", name, known.noun, known.one)
        job = Job(call.world.luid(), *kinds, luid, now, now, now, finish_code=0)
        call.site.jobs[job.luid] = job
        return {"job": resources.job(job, now)}, 202
    return {known.one: known.document(call.site, item, call.base_url)}, 201


def _parts() -> dict[str, bytes]:
    """Return the parts of a multipart/mixed body by their names."""
    head = f"Content-Type: {request.content_type}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + request.get_data())
    if not message.is_multipart():
        raise ApiError("400000", "The request must be multipart/mixed.")
    parts = {}
    for entry in message.get_payload():
        if isinstance(entry, Message):
            data = entry.get_payload(decode=True)
            name = str(entry.get_param("name", header="content-disposition"))
            parts[name] = data if isinstance(data, bytes) else b""
    return parts
