"""Respond to `POST /mcp`: check the token, and carry out one request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flask import Response, request

from webhooks.api.agents import protocol
from webhooks.api.agents.tools import TOOLS
from webhooks.api.call import Call, Refused
from webhooks.api.serving import authorize, parse, require_json, respond_or_refuse
from webhooks.clock import utc_now
from webhooks.errors import UnknownIncident
from webhooks.request_body import read_body

if TYPE_CHECKING:
    from webhooks.services import Services

METHODS = ("initialize", "server/discover", "ping", "tools/list", "tools/call")


def respond(services: Services) -> Response:
    """Return the response to the current request."""

    def carry_out() -> Response:
        require_json()
        return _respond(Call(services, authorize(services, "viewer"), utc_now()))

    return respond_or_refuse(carry_out)


def _respond(call: Call) -> Response:
    try:
        asked = protocol.parse(read_body(request), request.headers.get("MCP-Protocol-Version", ""))
        if asked.is_notification:
            return Response(status=202)
        return _json(protocol.result(asked, _result(call, asked)), 200)
    except protocol.ProtocolError as error:
        return _json(protocol.error(error), error.status)


def _json(value: Any, status: int) -> Response:
    return Response(json.dumps(value) + "\n", status, content_type="application/json")


def _result(call: Call, asked: protocol.Request) -> dict[str, Any]:
    """Return the result of a request. Raises ProtocolError."""
    match asked.method:
        case "initialize":
            return protocol.initialize(asked)
        case "server/discover":
            return protocol.discover()
        case "ping":
            return {}
        case "tools/list":
            # A tool that the token may not use is not offered at all.
            tools = [tool.as_object() for tool in TOOLS if tool.is_for(call)]
            return {"tools": tools} | (protocol.CACHE if asked.is_stateless else {})
        case "tools/call":
            return _call_tool(call, asked)
    words = f"Unknown method {asked.method[:60]!r}. Use one of: {', '.join(METHODS)}."
    raise protocol.ProtocolError(protocol.METHOD_NOT_FOUND, words, request_id=asked.id, status=404)


def _call_tool(call: Call, asked: protocol.Request) -> dict[str, Any]:
    name, arguments = asked.params.get("name"), asked.params.get("arguments") or {}
    tool = next((one for one in TOOLS if one.name == name), None)
    if tool is None:
        words = (
            f"Unknown tool {str(name)[:60]!r}. Use one of: {', '.join(one.name for one in TOOLS if one.is_for(call))}."
        )
        raise protocol.ProtocolError(protocol.INVALID_PARAMS, words, request_id=asked.id)
    if not tool.is_for(call):
        raise protocol.ProtocolError(protocol.INVALID_PARAMS, tool.refusal(call), request_id=asked.id, status=403)
    try:
        given = arguments if isinstance(arguments, dict) else {"arguments": arguments}
        text, failed = tool.run(call, parse(tool.takes, given)), False
    # The agent reads the error, and can correct the call.
    except Refused as error:
        text, failed = str(error), True
    except UnknownIncident as error:
        text, failed = f"{error}. Call whats_wrong for those that are open.", True
    return {"content": [{"type": "text", "text": text}], "isError": failed}
