"""`python -m postman.build` writes the collection and its environment from this file and the scripts beside it."""

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
HOOK = "{{ours}}/webhook/{{webhook-token}}"
JSON = {"Accept": "application/json", "Content-Type": "application/json"}
SESSION = {**JSON, "X-Tableau-Auth": "{{tableau-auth-token}}"}

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
"""The environment, filled in for what `make run` starts; nothing in it is a secret of anybody's."""
SECRET = {"password", "pat-secret", "tableau-auth-token", "webhook-token", "ca-secret-value"}

ABOUT = """\
Tableau's calls for webhooks, and what Tableau sends to this server. Choose the environment beside it; as it stands it
fits what `make run` starts. From top to bottom every request passes.

A personal access token has one live session: signing in with it here ends the session of a server that uses the same
one, which then signs in again and ends yours. Use a token of your own, or sign in by password as the run does last."""

SIGN_IN = """\
Three ways; each puts the session's token and the site's id into the environment. Those whose credentials are empty are
left out. In a run the last one counts."""


def script(name: str, **words: object) -> list[str]:
    """The lines of a script, with each word in capitals replaced."""
    text = (HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word.upper(), str(value))
    return text.rstrip("\n").split("\n")


def listening(when: str, lines: list[str]) -> Item:
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
    """A request: `check` are the lines run on its answer, `before` names the script run first."""
    events = [listening("prerequest", script(before))] if before else []
    asked: Item = {"method": method, "header": [{"key": k, "value": v} for k, v in (headers or {}).items()], "url": url}
    if body is not None:
        raw = body if isinstance(body, str) else json.dumps(body, indent=2, ensure_ascii=False)
        asked["body"] = {"mode": "raw", "raw": raw, "options": {"raw": {"language": "json"}}}
    if about:
        asked["description"] = about
    return {"name": name, "event": [*events, listening("test", check)], "request": asked}


def folder(name: str, items: list[Item], about: str = "", before: str = "") -> Item:
    events = [listening("prerequest", script(before))] if before else []
    return {"name": name, "description": about, "item": items, "event": events}


def sign_in(name: str, before: str, credentials: dict[str, str]) -> Item:
    body = {"credentials": {**credentials, "site": {"contentUrl": "{{content-url}}"}}}
    check = script("sign-in")
    return request(name, "POST", f"{API}/auth/signin", headers=JSON, body=body, before=before, check=check)


def signing_in() -> list[Item]:
    pat = {"personalAccessTokenName": "{{pat-name}}", "personalAccessTokenSecret": "{{pat-secret}}"}
    password = {"name": "{{username}}", "password": "{{password}}"}
    current = f"{API}/sessions/current"
    return [
        request("Server info", "GET", "{{tableau}}/api/2.4/serverinfo", headers=JSON, check=script("version")),
        sign_in("Sign in with a connected app (JWT)", "jwt", {"jwt": "{{jwt}}"}),
        sign_in("Sign in with a personal access token", "need-pat", pat),
        sign_in("Sign in with user name and password", "need-password", password),
        request("Who is signed in", "GET", current, headers=SESSION, check=script("session")),
    ]


def webhook(**more: object) -> Item:
    """The body that makes or changes a webhook; Tableau wants all of it each time."""
    destination = {"webhook-destination-http": {"method": "POST", "url": "{{webhook-url}}"}}
    named = {"name": "{{webhook-name}}", "event": "{{webhook-event}}"}
    return {"webhook": {**named, **more, "webhook-destination": destination}}


def webhooks() -> list[Item]:
    off = webhook(isEnabled=False, statusChangeReason="Tried from Postman")
    on, made = webhook(isEnabled=True), script("created")
    return [
        request("Create a webhook", "POST", WEBHOOKS, headers=SESSION, body=on, before="need-url", check=made),
        request("List webhooks", "GET", WEBHOOKS, headers=SESSION, check=script("listed")),
        request("Get the webhook", "GET", ONE, headers=SESSION, check=script("got")),
        request("Update: disable it", "PUT", ONE, headers=SESSION, body=off, check=script("disabled")),
        request("Update: enable it", "PUT", ONE, headers=SESSION, body=on, check=script("enabled")),
        request("Test the webhook", "GET", f"{ONE}/test", headers=SESSION, check=script("tested")),
        request("Delete the webhook", "DELETE", ONE, headers=SESSION, check=script("deleted")),
    ]


def event(event_type: str, moment: str = "{{created-at}}") -> Item:
    """What Tableau sends for a type, at the time of sending."""
    payload = {**sample(event_type), "created_at": moment}
    about = f"{payload['resource_name']}: {payload['resource_luid']} on site {payload['site_luid']}"
    return {**payload, "text": f"Event {event_type} for resource {about} posted at {moment}"}


def events() -> list[Item]:
    return [
        request(name, "POST", HOOK, headers=JSON, body=event(name), check=script("accepted")) for name in EVENT_TYPES
    ]


def refused(name: str, status: int, body: object, *, url: str = HOOK, method: str = "POST", before: str = "") -> Item:
    check = script("refused", status=status)
    return request(name, method, url, headers=JSON, body=body, check=check, before=before)


def answers() -> list[Item]:
    known = event("WorkbookCreated")
    again = event(list(EVENT_TYPES)[-1], "{{sent-at}}")
    tests = {"an empty body": "", "an empty object": {}, "event_type Test": {"event_type": "Test"}}
    return [
        request("The last event again", "POST", HOOK, headers=JSON, body=again, check=script("duplicate")),
        request(
            "An event type of the future", "POST", HOOK, headers=JSON, check=script("accepted"), before="moment",
            body={**known, "event_type": "FlowCompleted", "resource": "FLOW"},
        ),
        *(
            request(f"A test: {name}", "POST", HOOK, headers=JSON, body=body, check=script("test-request"))
            for name, body in tests.items()
        ),
        refused("Not JSON", 400, "{not JSON"),
        refused("No event_type", 422, {"resource": "WORKBOOK"}),
        refused("Too large", 413, {**known, "text": "{{padding}}"}, before="padding"),
        refused("A wrong token", 401, known, url="{{ours}}/webhook/wrong-{{$guid}}", before="need-token"),
        refused("Another method", 405, None, method="GET"),
        *(
            request(path, "GET", f"{{{{ours}}}}{path}", check=script("well"))
            for path in ("/healthz", "/readyz", "/metrics")
        ),
    ]  # fmt: skip


def collection() -> Item:
    out = request("Sign out", "POST", f"{API}/auth/signout", headers=SESSION, check=script("signed-out"))
    return {
        "info": {"name": "Tableau Webhooks", "description": ABOUT, "schema": SCHEMA},
        "event": [listening("prerequest", script("addresses"))],
        "item": [
            folder("1 Sign in", signing_in(), SIGN_IN),
            folder("2 Webhooks", webhooks(), "Needs an administrator of the site."),
            folder("3 Sign out", [out], "Before the events: they make the server sign in."),
            folder("4 Events", events(), "One of each type, as Tableau sends it, to the server.", "moment"),
            folder("5 Other answers", answers(), "The rest of the table in docs/http.md."),
        ],
        "variable": [{"key": key, "value": ""} for key in ("tableau", "ours", "event", "sent-at")],
    }


def environment() -> Item:
    values = [
        {"key": key, "value": value, "type": "secret" if key in SECRET else "default", "enabled": True}
        for key, value in KEYS.items()
    ]
    return {
        "name": "Tableau Webhooks: what make run starts",
        "values": values,
        "_postman_variable_scope": "environment",
    }


def written(content: Item) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    COLLECTION.write_text(written(collection()), encoding="utf-8")
    ENVIRONMENT.write_text(written(environment()), encoding="utf-8")


if __name__ == "__main__":
    main()
