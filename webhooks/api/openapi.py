"""Describe the API by OpenAPI 3.1, from the table of operations and the models.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from flask import Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from webhooks.api.blueprint import PREFIX
from webhooks.api.objects import Problem
from webhooks.api.operations import OPERATIONS, Operation
from webhooks.api.serving import authorize, respond_or_refuse

if TYPE_CHECKING:
    from webhooks.services import Services

REFERENCE = "#/components/schemas/{model}"
ERRORS = {
    "401": "The request has no valid token or password",
    "403": "The role does not permit this, or only this machine is served",
    "422": "A parameter or field is invalid",
    "429": "Too many failed sign-ins",
    "503": "The inbox is unavailable",
}
ERRORS_OF_LISTS = {"404": "The cursor is not one of a page"}
ERRORS_OF_QUERIES = {"414": "The address is too long"}
ERRORS_OF_OBJECTS = {"404": "The object does not exist"}
# By operation: what of its response leads to others, and to which.
FIRST_NUMBER, NUMBER, FIRST_LUID = "items/0/id", "id", "items/0/luid"
INCIDENT_ACTS = ("acknowledge", "snooze", "close", "note", "refresh")
LINKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "list_incidents": (FIRST_NUMBER, ("get_incident", *INCIDENT_ACTS)),
    "list_events": (FIRST_NUMBER, ("get_event", "replay")),
    "list_dead_letters": ("items/0/ids", ("replay_dead_letters", "dismiss_dead_letters")),
    "list_resources": (FIRST_LUID, ("get_resource",)),
    "list_silences": (FIRST_NUMBER, ("end_silence",)),
    "add_silence": (NUMBER, ("end_silence",)),
}
ERRORS_OF_ACTS = {
    "400": "The body is not JSON",
    "409": "The state of the object does not permit this",
    "413": "The body has more than 64 KiB",
    "415": "The content type is not application/json, or the content encoding neither gzip nor deflate",
}


def respond(services: Services) -> Response:
    """Return the response with the description; it needs the role viewer."""

    def describe() -> Response:
        authorize(services, "viewer")
        return Response(json.dumps(document()) + "\n", content_type="application/json")

    return respond_or_refuse(describe)


@cache
def document() -> dict[str, Any]:
    """Return the description."""
    models: list[type[BaseModel]] = [Problem]
    for operation in OPERATIONS:
        models += [operation.returns, operation.parameters]
    names, schemas = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)], ref_template=REFERENCE
    )
    references: dict[Any, dict[str, Any]] = {model: schema for (model, _), schema in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        path = PREFIX + operation.path_template
        paths.setdefault(path, {})[operation.method.lower()] = _describe(operation, references, schemas["$defs"])
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Tableau Webhooks",
            "version": "1",
            "description": "What this server has recorded about refreshes, and what can be done about it.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _describe(operation: Operation, references: dict[Any, dict[str, Any]], schemas: dict[str, Any]) -> dict[str, Any]:
    errors = ERRORS | (ERRORS_OF_ACTS if operation.method == "POST" else {})
    errors |= ERRORS_OF_OBJECTS if operation.names_objects else {}
    errors |= ERRORS_OF_LISTS if "cursor" in operation.parameters.model_fields else {}
    if operation.method == "GET" and len(operation.parameters.model_fields) > 0:
        errors |= ERRORS_OF_QUERIES
    problems = {
        status: {
            "description": text,
            "content": {"application/problem+json": {"schema": references[Problem]}},
        }
        for status, text in sorted(errors.items())
    }
    content: dict[str, Any] = {"application/json": {"schema": references[operation.returns]}}
    if operation.is_list:
        content["text/csv"] = {"schema": {"type": "string"}}
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs the role {operation.role}.",
        "responses": {"200": {"description": "Done", "content": content, "links": _links(operation)}, **problems},
    }
    parameters = _path_parameters(operation)
    if operation.method == "POST":
        body = {"application/json": {"schema": references[operation.parameters]}}
        found["requestBody"] = {"required": True, "content": body}
    else:
        name = references[operation.parameters]["$ref"].rsplit("/", 1)[1]
        for field, schema in schemas[name].get("properties", {}).items():
            parameters.append({"name": field, "in": "query", "required": False, "schema": schema})
    return found | ({"parameters": parameters} if parameters else {})


def _links(operation: Operation) -> dict[str, Any]:
    """Return the requests that a response leads to: the next page, and those about its first item."""
    found: dict[str, Any] = {}
    if "cursor" in operation.parameters.model_fields:
        found["next page"] = {"operationId": operation.name, "parameters": {"cursor": "$response.body#/next"}}
    place, targets = LINKS.get(operation.name, ("", ()))
    value = f"$response.body#/{place}"
    for target in targets:
        link: dict[str, Any] = {"operationId": target}
        if place.endswith("ids"):
            link["requestBody"] = {"ids": value}
        else:
            link["parameters"] = {"luid" if place == FIRST_LUID else "number": value}
        found[target] = link
    return found


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    schema: dict[str, Any]
    if operation.has_number:
        name, schema = "number", {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    elif operation.has_luid:
        name, schema = "luid", {"type": "string", "format": "uuid"}
    else:
        return []
    return [{"name": name, "in": "path", "required": True, "schema": schema}]
