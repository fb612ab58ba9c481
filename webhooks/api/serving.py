"""Respond to a request to the API: check access and parameters, run the operation, and write JSON or CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, get_origin

from flask import Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from webhooks.access import visitors
from webhooks.api import strict_json
from webhooks.api.call import LARGEST_ID, Call, Refused
from webhooks.api.operations import Operation
from webhooks.api.parameters import Parameters
from webhooks.clock import utc_now
from webhooks.errors import StoreUnavailable, UnknownIncident
from webhooks.problem import problem, problem_of
from webhooks.request_body import read_body
from webhooks.validation import describe_values

if TYPE_CHECKING:
    from webhooks.access.visitors import Visitor
    from webhooks.services import Services

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Spreadsheets would run a cell that begins with one of these as a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def respond(
    services: Services,
    operation: Operation,
    number: str | None = None,
    luid: str | None = None,
    *,
    as_csv: bool = False,
) -> Response:
    """Return the response of an operation to the current request; `number` or `luid` is in its path."""

    def carry_out() -> Response:
        call = Call(services, authorize(services, operation.role), utc_now())
        found = run(call, operation, number, luid)
        wants_csv = as_csv or request.accept_mimetypes.best_match(["application/json", "text/csv"]) == "text/csv"
        if not wants_csv or not operation.is_list:
            return Response(json.dumps(found, ensure_ascii=False) + "\n", content_type="application/json")
        response = Response(to_csv(found["items"]), content_type="text/csv; charset=utf-8")
        if found["next"]:
            response.headers["X-Next-Cursor"] = found["next"]
        return response

    return respond_or_refuse(carry_out)


def respond_or_refuse(carry_out: Callable[[], Response]) -> Response:
    """Return the response of `carry_out`, or a problem document in place of what it raises."""
    try:
        response = carry_out()
    except Refused as error:
        response = problem(error.status, str(error))
        if error.status == 401:
            response.headers["WWW-Authenticate"] = 'Bearer realm="Tableau Webhooks"'
    except visitors.TooManyFailures as error:
        response = problem(429, str(error))
        response.headers["Retry-After"] = str(max(1, round(error.seconds)))
    except HTTPException as error:
        response = problem_of(error)
    except UnknownIncident:
        response = problem(404, "There is no incident with this number.")
    except StoreUnavailable as error:
        response = problem(503, f"The inbox is unavailable: {error}")
        response.headers["Retry-After"] = "5"
    response.headers.update(HEADERS)
    return response


def authorize(services: Services, role: visitors.Role) -> Visitor:
    """Return who the request comes from. Raises Refused unless that role is permitted, and TooManyFailures."""
    visitor = visitors.identify(services, request)
    if visitor is None:
        if not services.settings.requires_sign_in:
            raise Refused(403, "Only this machine is served, because ADMIN_PASSWORD is not set.")
        raise Refused(401, "Send a token: Authorization: Bearer twh_…, or the user admin with ADMIN_PASSWORD.")
    if not visitors.permits(visitor.role, role):
        raise Refused(403, f"The role of {visitor.name} is {visitor.role}; this needs the role {role}.")
    return visitor


def run(call: Call, operation: Operation, number: str | None, luid: str | None = None) -> dict[str, Any]:
    """Return the result of an operation. Raises Refused."""
    places: list[int | str] = []
    if luid is not None:
        # PostgreSQL refuses a NUL character.
        if "\0" in luid:
            raise Refused(404, f"There is no object with the LUID {luid[:60]!r}.")
        places = [luid.lower()]
    if number is not None:
        if not number.isascii() or not number.isdigit() or len(number) > len(str(LARGEST_ID)):
            raise Refused(404, f"There is no object with the number {number[:30]!r}.")
        places = [int(number)]
        if not 0 < int(number) <= LARGEST_ID:
            raise Refused(404, f"There is no object with the number {number}.")
    given = _query(operation.parameters) if operation.method == "GET" else _body()
    return operation.run(call, parse(operation.parameters, given), *places)


def parse(model: type[Parameters], given: Mapping[str, Any]) -> Parameters:
    """Return the parameters. Raises Refused with everything that is wrong."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise Refused(422, "; ".join(describe_values(error))) from None


def _query(model: type[Parameters]) -> dict[str, Any]:
    """Return the query; a parameter that can be repeated as a list. Raises Refused if another one is repeated."""
    lists = {name for name, field in model.model_fields.items() if _is_list(field.annotation)}
    given: dict[str, Any] = {}
    for name, values in request.args.lists():
        if name not in lists and len(values) > 1:
            raise Refused(422, f"{name}: it is given {len(values)} times.")
        given[name] = values if name in lists else values[0]
    return given


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return origin is list or any(get_origin(part) is list for part in getattr(annotation, "__args__", ()))


def _body() -> Mapping[str, Any]:
    """Return the JSON object of the request. Raises Refused, and the errors of `read_body`."""
    require_json()
    try:
        found = strict_json.load(read_body(request) or b"{}")
    except strict_json.NotStrict as error:
        raise Refused(400, f"{error}.") from None
    if not isinstance(found, dict):
        raise Refused(422, "The body is not a JSON object.")
    return found


def require_json() -> None:
    """Raise Refused for another content type: a page of another site could send it with the browser's credentials."""
    if request.mimetype != "application/json":
        raise Refused(415, "Content-Type: send application/json.")


def to_csv(items: Iterable[Mapping[str, Any]]) -> str:
    """Return a table of the items; lists and objects within them are JSON."""
    rows = list(items)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
    return out.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
