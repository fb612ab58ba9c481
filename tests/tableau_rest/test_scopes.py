"""The client and the simulator name the same JWT scope for every call."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from simulator import Running, running
from tableau_rest import ConnectedApp, MemorySessions, Tableau

# The scope of tags depends on the content.
TAG_SCOPES = {"workbooks": "tableau:workbook_tags:update", "datasources": "tableau:datasource_tags:update"}
OTHER = "tableau:something:else"


def _cases() -> list[tuple[str, str, str]]:
    """Return method, address and scope of every call, once; "" if no scope is known."""
    found = set()
    for name in dir(Tableau):
        endpoint = getattr(getattr(Tableau, name), "endpoint", None)
        if endpoint is None or endpoint.scope.startswith("none"):
            continue
        for uri in endpoint.uri.split(" and "):
            method, _, address = uri.partition(" ")
            many, _, rest = address.partition("/")
            for kind in many.split("|"):
                scope = TAG_SCOPES.get(kind, "") if "/tags" in address else endpoint.scope
                if "batch" not in address and not ("/tags" in address and not scope):
                    found.add((method, f"{kind}/{rest}".rstrip("/"), scope))
    return sorted(found)


@pytest.fixture(scope="module")
def simulated() -> Iterator[Running]:
    """Run one simulator for all cases."""
    with running() as started:
        yield started


def _call(simulated: Running, method: str, address: str, scope: str) -> requests.Response:
    config: Any = simulated.world.config
    app = ConnectedApp(config.ca_client, config.ca_secret_id, config.ca_secret_value, config.username, scopes=(scope,))
    with Tableau(simulated.url, config.content_url, app, sessions=MemorySessions()) as tableau:
        session = tableau.session()
    path = re.sub(r"\{id\}", session.site_luid if address == "/sites/{id}" else "x", address)
    path = path.replace("{type}", "datasource").replace("{tag}", "x")
    url = f"{simulated.url}/api/{config.api_version}"
    if path.startswith("/api/"):
        url = simulated.url
    elif not path.startswith("/"):
        path = f"/sites/{session.site_luid}/{path}"
    headers = {"X-Tableau-Auth": session.token, "Accept": "application/json", "Content-Type": "application/json"}
    return requests.request(method, url + path, json={}, headers=headers, timeout=10)


@pytest.mark.parametrize(("method", "address", "scope"), _cases())
def test_scope(simulated: Running, method: str, address: str, scope: str) -> None:
    """The call is allowed with the client's scope, and refused without; one of unknown scope is always refused."""
    if scope:
        assert _call(simulated, method, address, scope).status_code != 401
    refused = _call(simulated, method, address, OTHER)
    assert refused.status_code == 401
    assert (scope or "none is known") in refused.text
