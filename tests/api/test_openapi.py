"""The description of the API is valid, and the server behaves as it says, whatever is sent."""

from __future__ import annotations

from typing import Any

import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings

from tests.api.test_api import token
from tests.dashboard.conftest import fail, services_of
from webhooks.api.blueprint import PREFIX
from webhooks.api.openapi import document
from webhooks.api.operations import OPERATIONS
from webhooks.config.settings import ROOT

# The second stage sends far more.
EXAMPLES = 5


def test_every_operation_is_described() -> None:
    """Each has a summary, its parameters, and every status that it can respond with."""
    described = {
        (path, method): operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }
    assert len(described) == len(OPERATIONS)
    for operation in OPERATIONS:
        found = described[PREFIX + operation.path_template, operation.method.lower()]
        assert found["operationId"] == operation.name
        assert found["summary"].endswith(".")
        assert {"200", "401", "403", "422"} <= set(found["responses"])


def test_description_is_served(client: FlaskClient, protected: FlaskClient) -> None:
    """It needs a credential as everything else does."""
    assert client.get(f"{PREFIX}/openapi.json").json == document()
    assert protected.get(f"{PREFIX}/openapi.json").status_code == 401


def test_server_behaves_as_described(protected: FlaskClient) -> None:
    """Generated requests get documented statuses, content types and objects, and never an internal error."""
    fail(services_of(protected).inbox)
    headers = token(protected, "admin")
    schema = schemathesis.openapi.from_wsgi(f"{PREFIX}/openapi.json", protected.application, headers=headers)
    for operation in OPERATIONS:
        described = schema[PREFIX + operation.path_template][operation.method]

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), deadline=None, derandomize=True)
        @given(case=described.as_strategy())
        def send(case: Any) -> None:
            case.call_and_validate(headers=headers)

        send()


def test_documentation_has_the_table_of_operations() -> None:
    """docs/api.md lists every operation with its request, role and summary."""
    rows = [f"| `{one.name}` | `{one.method} {one.path}` | {one.role} | {one.summary} |" for one in OPERATIONS]
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert "\n".join(rows) in text
