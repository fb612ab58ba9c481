"""Writes the reference page from the docstrings: `python -m tableau_rest.reference > docs/tableau_rest.md`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tableau_rest import credentials, errors, models
from tableau_rest.client import Tableau
from tableau_rest.connection import Connection
from tableau_rest.endpoints.endpoint import Endpoint
from tableau_rest.endpoints.exports import Export
from tableau_rest.protocol.query import where
from tableau_rest.sessions.filestore import FileSessions
from tableau_rest.sessions.store import MemorySessions, SessionStore

_HEAD = """# tableau_rest

A thin client of Tableau's REST API for automation. Written from the docstrings by
`python -m tableau_rest.reference > docs/tableau_rest.md`; a test checks that it is current.

```python
from tableau_rest import NotFound, PersonalAccessToken, Tableau, where

tableau = Tableau("https://10ax.online.tableau.com", "marketing", PersonalAccessToken("bot", secret))

workbook = tableau.workbook(luid)                      # typed, with owner, project and tags
tableau.add_tags(workbook, ["badly named"])
job = tableau.refresh_workbook(workbook)               # returns at once
tableau.view_pdf(view).save("report.pdf")              # whole, or no file at all
for book in tableau.workbooks(where("updatedAt", "gt", yesterday), sort="name:asc"):
    ...
tableau.request("GET", "workbooks/…/revisions")        # anything else: signed in, repeated, with the same errors
```

- **Sessions.** The first call signs in; the session is shared by all threads, and with whoever shares the
  `sessions` store: `MemorySessions` (one process), `FileSessions(directory)` (one machine), or one of your own with
  `load`, `save` and `lock`. What is saved is encrypted with a key derived from the credential. A dead session
  (401 in any form) is first re-read, then renewed under a lock by one of all who noticed, and the call repeated. It is
  never signed out. One personal access token is one live session: give every program that shares the token the same
  store, or a token of its own.
- **Errors.** Everything that fails raises a `TableauError`: `permanent` says that trying again cannot help, `retry_at`
  when Tableau wants to see us again, `advice` what a person can do. Wrong arguments raise `ValueError` before any
  request.
- **Waiting.** Every request has a timeout (5 s to connect, 30 s for the next bytes; exports 180 s). Reads are repeated
  twice, shortly, after a broken connection or a gateway's 502 to 504. A 429 is never slept on but raised.
- **Where a LUID is wanted**, the thing itself will do: `tableau.workbook(job.content)`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [_HEAD, "## Signing in\n", *_credentials(), "## Tableau\n", _text(Tableau), ""]
    parts += ["### For every call\n", *_members(Connection)]
    for topic in Tableau.__bases__:
        parts += [f"### {_title(topic)}\n", *_members(topic)]
    parts += [*_members(Tableau), "## Export\n", _text(Export), "", *_members(Export)]
    parts += ["## Filters\n", f"**`where{_signature(where)}`**\n\n{_text(where)}\n", "## Session stores\n", *_stores()]
    parts += ["## Errors\n", "```text", _tree(), "```\n", *_errors(), "## Models\n", *_models()]
    return "\n".join(parts).rstrip() + "\n"


def _credentials() -> Iterator[str]:
    for name in ("PersonalAccessToken", "Password", "ConnectedApp"):
        found = getattr(credentials, name)
        yield f"**`{name}{_signature(found)}`**\n\n{_text(found)}\n"
    yield f"Default scopes: {', '.join(f'`{scope}`' for scope in credentials.SCOPES)}.\n"


def _stores() -> Iterator[str]:
    for found in (MemorySessions, FileSessions, SessionStore):
        shown = found.__name__ if found is SessionStore else f"{found.__name__}{_signature(found)}"
        yield f"**`{shown}`**\n\n{_text(found)}\n"
    yield from _members(SessionStore)


def _members(topic: type) -> Iterator[str]:
    for name, member in vars(topic).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        shown = f"`{name}`" if isinstance(member, property) else f"`{name}{_signature(member)}`"
        call = getattr(member, "endpoint", None)
        line = f"\n\n`{call.line}`" if isinstance(call, Endpoint) else ""
        yield f"**{shown}**\n\n{_text(member, call)}{line}\n"


def _signature(thing: Callable[..., Any]) -> str:
    signature = inspect.signature(thing)
    written: list[str] = []
    keyword_only = False
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not keyword_only:
            keyword_only = True
            written += [] if any(item.startswith("*") for item in written) else ["*"]
        written.append(_parameter(parameter))
    returned = "" if signature.return_annotation is signature.empty else f" -> {_type(signature.return_annotation)}"
    return f"({', '.join(written)}){returned if inspect.isfunction(thing) else ''}"


def _parameter(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    default = "" if parameter.default is parameter.empty else f" = {_default(parameter.default)}"
    return f"{star}{parameter.name}: {_type(parameter.annotation)}{default}"


def _default(value: object) -> str:
    if value is credentials.SCOPES:
        return "SCOPES"
    return str(getattr(value, "__name__", None) or repr(value))


def _type(annotation: object) -> str:
    text = str(getattr(annotation, "__forward_arg__", annotation))
    for prefix in ("models.", "query.", "responses."):
        text = text.replace(prefix, "")
    return text


def _text(thing: object, call: Endpoint | None = None) -> str:
    text = inspect.getdoc(thing) or ""
    return text.replace(call.line, "").strip() if call else text


def _title(topic: type) -> str:
    return (inspect.getdoc(topic) or topic.__name__).partition(".")[0].partition(":")[0]


def _tree() -> str:
    return (errors.__doc__ or "").partition("\n\n")[2].strip()


def _errors() -> Iterator[str]:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, errors.TableauError):
            final = "final" if found.permanent else "may pass"
            yield f"- `{found.__name__}` ({final}): {' '.join(_text(found).split())}"
    yield ""


def _models() -> Iterator[str]:
    for name in sorted(models.__all__):
        found = getattr(models, name)
        fields = ", ".join(f"`{field.name}: {field.type}`" for field in dataclasses.fields(found))
        yield f"**`{name}`** {_text(found)}\n\n{fields}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
