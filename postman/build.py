"""Write the collection and its environment from this file and the scripts: `python -m postman.build`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from webhooks.cli.trigger.sample import sample
from webhooks.event_types import EVENT_TYPES

Item = dict[str, Any]

HERE = Path(__file__).resolve().parent
COLLECTION = HERE / "tableau-webhooks.postman_collection.json"
ENVIRONMENT = HERE / "tableau-webhooks.postman_environment.json"
SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"

API = "{{tableau}}/api/{{api}}"
WEBHOOKS = f"{API}/sites/{{{{site-id}}}}/webhooks"
ONE = f"{WEBHOOKS}/{{{{webhook-id}}}}"
ENDPOINT = "{{ours}}/webhook/{{webhook-token}}"
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
SESSION = {**JSON, "X-Tableau-Auth": "{{tableau-auth-token}}"}

# The environment, with the values of `make run`; none of them is a real secret.
KEYS = {
    "server": "http://127.0.0.1:8100",
    "api": "3.27",
    "content-url": "acme",
    "username": "ann@acme.example",
    "password": "simulator",
    "pat-name": "webhooks",
    "pat-secret": "c2ltdWxhdG9y:not-a-secret",
    "site-id": "",
    "tableau-auth-token": "",
    "webhook-id": "",
    "webhook-name": "From Postman",
    "webhook-event": "WorkbookRefreshFailed",
    "webhook-url": "{{server-url}}/webhook/{{webhook-token}}",
    "server-url": "http://127.0.0.1:8000",
    "webhook-token": "",
    "ca-client": "5f3c1d9e-0000-4000-8000-00000000c11e",
    "ca-secret-id": "8f2a7b10-0000-4000-8000-0000005ec1d0",
    "ca-secret-value": "simulated-connected-app-secret-32+",
    "ca-scopes": "tableau:content:read",
}
SECRET = {"password", "pat-secret", "tableau-auth-token", "webhook-token", "ca-secret-value"}

ABOUT = """\
Tableau's calls for webhooks, and the events that Tableau sends to this server. Select the environment that comes with
it; unchanged, it matches what `make run` starts. Run from top to bottom, every request passes.

A personal access token has one live session: signing in with it here invalidates the session of a server that uses the
same token, which then signs in again and invalidates yours. Use another token, or sign in by password, as the last
sign-in of a run does."""

SIGN_IN = """\
Three ways to sign in; each stores the session's token and the site's id in the environment. Those without credentials
are skipped. In a run, the last one is used."""


def script(name: str, **words: object) -> list[str]:
    """Return the lines of a script, with each of `words` in capitals replaced by its value."""
    text = (HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word.upper(), str(value))
    return text.rstrip("\n").split("\n")


def listener(when: str, lines: list[str]) -> Item:
    """Return a script that runs at an event of a request."""
    return {"listen": when, "script": {"type": "text/javascript", "exec": lines}}


def request(
    name: str,
    method: str,
    url: str,
    *,
    check: list[str],
    headers: dict[str, str] | None = None,
    body: object = None,
    before: str = "",
    about: str = "",
) -> Item:
    """Return a request; `check` are the lines that test its response, `before` names a script that runs first."""
    events = [listener("prerequest", script(before))] if before else []
    content: Item = {
        "method": method,
        "header": [{"key": k, "value": v} for k, v in (headers or {}).items()],
        "url": url,
    }
    if body is not None:
        raw = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        content["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    if about:
        content["description"] = about
    return {"name": name, "event": [*events, listener("test", check)], "request": content}


def folder(name: str, items: list[Item], about: str = "", before: str = "") -> Item:
    """Return a folder of requests."""
    events = [listener("prerequest", script(before))] if before else []
    return {"name": name, "description": about, "item": items, "event": events}


def sign_in(name: str, before: str, credentials: dict[str, str]) -> Item:
    body = {"credentials": {**credentials, "site": {"contentUrl": "{{content-url}}"}}}
    check = script("sign-in")
    return request(name, "POST", f"{API}/auth/signin", headers=JSON, body=body, before=before, check=check)


def sign_ins() -> list[Item]:
    pat = {"personalAccessTokenName": "{{pat-name}}", "personalAccessTokenSecret": "{{pat-secret}}"}
    password = {"name": "{{username}}", "password": "{{password}}"}
    current = f"{API}/sessions/current"
    return [
        request("Server info", "GET", "{{tableau}}/api/2.4/serverinfo", headers=JSON, check=script("version")),
        sign_in("Sign in with a connected app (JWT)", "jwt", {"jwt": "{{jwt}}"}),
        sign_in("Sign in with a personal access token", "need-pat", pat),
        sign_in("Sign in with user name and password", "need-password", password),
        request("Current session", "GET", current, headers=SESSION, check=script("session")),
    ]


def webhook(**more: object) -> Item:
    """Return the body that creates or updates a webhook; Tableau requires all of it each time."""
    destination = {"webhook-destination-http": {"method": "POST", "url": "{{webhook-url}}"}}
    named = {"name": "{{webhook-name}}", "event": "{{webhook-event}}"}
    return {"webhook": {**named, **more, "webhook-destination": destination}}


def webhooks() -> list[Item]:
    disabled = webhook(isEnabled=False, statusChangeReason="Disabled from Postman")
    enabled = webhook(isEnabled=True)
    return [
        request(
            "Create a webhook",
            "POST",
            WEBHOOKS,
            headers=SESSION,
            body=enabled,
            before="need-url",
            check=script("created"),
        ),
        request("List webhooks", "GET", WEBHOOKS, headers=SESSION, check=script("listed")),
        request("Get the webhook", "GET", ONE, headers=SESSION, check=script("got")),
        request("Update: disable it", "PUT", ONE, headers=SESSION, body=disabled, check=script("disabled")),
        request("Update: enable it", "PUT", ONE, headers=SESSION, body=enabled, check=script("enabled")),
        request("Test the webhook", "GET", f"{ONE}/test", headers=SESSION, check=script("tested")),
        request("Delete the webhook", "DELETE", ONE, headers=SESSION, check=script("deleted")),
    ]


def event(event_type: str, created_at: str = "{{created-at}}") -> Item:
    """Return the event that Tableau sends for a type, with the time of the request."""
    payload = {**sample(event_type), "created_at": created_at}
    about = f"{payload['resource_name']}: {payload['resource_luid']} on site {payload['site_luid']}"
    return {**payload, "text": f"Event {event_type} for resource {about} posted at {created_at}"}


def events() -> list[Item]:
    return [
        request(name, "POST", ENDPOINT, headers=JSON, body=event(name), check=script("accepted"))
        for name in EVENT_TYPES
    ]


def refused(
    name: str, status: int, body: object, *, url: str = ENDPOINT, method: str = "POST", before: str = ""
) -> Item:
    check = script("refused", status=status)
    return request(name, method, url, headers=JSON, body=body, check=check, before=before)


def responses() -> list[Item]:
    known = event("WorkbookCreated")
    again = event(list(EVENT_TYPES)[-1], "{{sent-at}}")
    tests = {"an empty body": "", "an empty object": {}, "event_type Test": {"event_type": "Test"}}
    return [
        request("Duplicate of the last event", "POST", ENDPOINT, headers=JSON, body=again, check=script("duplicate")),
        request(
            "An unknown event type", "POST", ENDPOINT, headers=JSON, check=script("accepted"), before="created-at",
            body={**known, "event_type": "FlowCompleted", "resource": "FLOW"},
        ),
        *(
            request(f"A test: {name}", "POST", ENDPOINT, headers=JSON, body=body, check=script("test-request"))
            for name, body in tests.items()
        ),
        refused("Not JSON", 400, "{not JSON"),
        refused("No event_type", 422, {"resource": "WORKBOOK"}),
        refused("Body too large", 413, {**known, "text": "{{padding}}"}, before="padding"),
        refused("Wrong token", 401, known, url="{{ours}}/webhook/wrong-{{$guid}}", before="need-token"),
        refused("Wrong method", 405, None, method="GET"),
        *(
            request(path, "GET", f"{{{{ours}}}}{path}", check=script("ok"))
            for path in ("/healthz", "/readyz", "/metrics")
        ),
    ]  # fmt: skip


def collection() -> Item:
    sign_out = request("Sign out", "POST", f"{API}/auth/signout", headers=SESSION, check=script("signed-out"))
    return {
        "info": {"name": "Tableau Webhooks", "description": ABOUT, "schema": SCHEMA},
        "event": [listener("prerequest", script("addresses"))],
        "item": [
            folder("1 Sign in", sign_ins(), SIGN_IN),
            folder("2 Webhooks", webhooks(), "These calls need an administrator of the site."),
            folder("3 Sign out", [sign_out], "Before the events, because they make the server sign in."),
            folder("4 Events", events(), "One event of each type, as Tableau sends it to the server.", "created-at"),
            folder("5 Other responses", responses(), "The other rows of the table in docs/http.md."),
        ],
        "variable": [{"key": key, "value": ""} for key in ("tableau", "ours", "event", "sent-at")],
    }


def environment() -> Item:
    values = [
        {"key": key, "value": value, "type": "secret" if key in SECRET else "default", "enabled": True}
        for key, value in KEYS.items()
    ]
    return {
        "name": "Tableau Webhooks (make run)",
        "values": values,
        "_postman_variable_scope": "environment",
    }


def to_json(content: Item) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    COLLECTION.write_text(to_json(collection()), encoding="utf-8")
    ENVIRONMENT.write_text(to_json(environment()), encoding="utf-8")


if __name__ == "__main__":
    main()
