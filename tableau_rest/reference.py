"""Generate the reference page from the docstrings: `python -m tableau_rest.reference > docs/tableau_rest.md`."""

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
from tableau_rest.sessions.file_store import FileSessions
from tableau_rest.sessions.store import MemorySessions, SessionStore

_HEAD = """# tableau_rest

A thin client of Tableau's REST API for automation. Generated from the docstrings by
`python -m tableau_rest.reference > docs/tableau_rest.md`; a test checks that it is current.

```python
from tableau_rest import NotFound, PersonalAccessToken, Tableau, where

tableau = Tableau("https://10ax.online.tableau.com", "marketing", PersonalAccessToken("bot", secret))

workbook = tableau.workbook(luid)                      # typed, with owner, project and tags
tableau.add_tags(workbook, ["badly named"])
job = tableau.refresh_workbook(workbook)               # returns at once
tableau.view_pdf(view).save("report.pdf")              # the complete file, or none
for book in tableau.workbooks(where("updatedAt", "gt", yesterday), sort="name:asc"):
    ...
tableau.request("GET", "workbooks/…/revisions")        # any other call: signed in, repeated, with the same errors
```

- **Sessions.** The first call signs in. All threads share the session, and all programs that share the `sessions`
  store: `MemorySessions` (one process), `FileSessions(directory)` (one machine), or an own class with `load`, `save`
  and `lock`. Stored sessions are encrypted with a key derived from the credential. When a session has ended (401 in
  any form), the store is read again; if it has no newer session, one of all users signs in under a lock, and the call
  is repeated. Sessions are never signed out. One personal access token is one live session: give every program that
  uses the token the same store, or its own token.
- **Errors.** Every failure raises a `TableauError`: `permanent` says that the same call would fail again, `retry_at`
  when Tableau asks to try again, `advice` what to do. Wrong arguments raise `ValueError` before any request. A 401
  that does not change with a new session means that this call is not permitted: `NotPermitted`.
- **Time limits.** 5 s to connect, 30 s for the next bytes, 60 s for a whole call (exports: 180 s and 900 s), even if
  the server sends its response byte by byte. Reads are repeated twice within seconds after a broken connection or a
  gateway's 502 to 504. A 429 is raised, not waited for.
- **Lists** are iterators that request a page when it is needed. A list that changes while it is read is read again;
  if it never becomes consistent, `IncompleteList` is raised.
- **Responses that are not Tableau's** (a login page, a proxy's error, another product) raise `InvalidResponse`, also
  with status 404: content is `NotFound` only if Tableau says so.
- **Private certificate authorities.** `ca_bundle` names a file of them; they are trusted in addition to those of
  certifi, or of `REQUESTS_CA_BUNDLE` if that is set. Proxies come from `HTTPS_PROXY` and `NO_PROXY`.
- **A model can be used instead of its LUID**: `tableau.workbook(job.content)`.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD, "## Signing in\n"]
    parts += map(_class, (credentials.PersonalAccessToken, credentials.Password, credentials.ConnectedApp))
    parts.append(f"Default scopes: {', '.join(f'`{scope}`' for scope in credentials.SCOPES)}.\n")
    parts += ["## Tableau\n", _text(Tableau), "", "### For every call\n", *_members(Connection)]
    for topic in Tableau.__bases__:
        heading, _, rest = _text(topic).partition("\n\n")
        title, _, remark = heading.partition(". ")
        parts.append(f"### {title.partition(':')[0].rstrip('.')}\n")
        parts += [f"{text}\n" for text in (remark, rest) if text]
        parts += _members(topic)
    parts += [*_members(Tableau), "## Export\n", _text(Export), "", *_members(Export)]
    parts += ["## Filters\n", f"**`where{_signature(where)}`**\n\n{_text(where)}\n", "## Session stores\n"]
    parts += map(_class, (MemorySessions, FileSessions))
    parts += [f"**`SessionStore`**\n\n{_text(SessionStore)}\n", *_members(SessionStore)]
    parts += ["## Errors\n", "```text", (errors.__doc__ or "").partition("\n\n")[2].strip(), "```\n", *_errors()]
    parts += ["", "## Models\n", *_models()]
    return "\n".join(parts).rstrip() + "\n"


def _class(found: type) -> str:
    return f"**`{found.__name__}{_signature(found)}`**\n\n{_text(found)}\n"


def _members(topic: type) -> Iterator[str]:
    for name, member in vars(topic).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        shown = f"`{name}`" if isinstance(member, property) else f"`{name}{_signature(member)}`"
        call = getattr(member, "endpoint", None)
        if isinstance(call, Endpoint):
            text = f"{_text(member).replace(call.line, '').strip()}\n\n`{call.line}`"
        else:
            text = _text(member)
        yield f"**{shown}**\n\n{text}\n"


def _signature(thing: Callable[..., Any]) -> str:
    signature = inspect.signature(thing)
    written: list[str] = []
    for parameter in signature.parameters.values():
        if parameter.name == "self":
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not any(item.startswith("*") for item in written):
            written.append("*")
        star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
        default = ""
        if parameter.default is credentials.SCOPES:
            default = " = SCOPES"
        elif parameter.default is not parameter.empty:
            default = f" = {getattr(parameter.default, '__name__', None) or repr(parameter.default)}"
        written.append(f"{star}{parameter.name}: {_type(parameter.annotation)}{default}")
    returned = "" if signature.return_annotation is signature.empty else f" -> {_type(signature.return_annotation)}"
    return f"({', '.join(written)}){returned if inspect.isfunction(thing) else ''}"


def _type(annotation: object) -> str:
    text = str(getattr(annotation, "__forward_arg__", annotation))
    for prefix in ("models.", "query.", "responses."):
        text = text.replace(prefix, "")
    return text


def _text(thing: object) -> str:
    return inspect.getdoc(thing) or ""


def _errors() -> Iterator[str]:
    for found in vars(errors).values():
        if isinstance(found, type) and issubclass(found, errors.TableauError):
            kind = "permanent" if found.permanent else "may succeed later"
            yield f"- `{found.__name__}` ({kind}): {' '.join(_text(found).split())}"


def _models() -> Iterator[str]:
    for name in sorted(models.__all__):
        found = getattr(models, name)
        fields = ", ".join(f"`{field.name}: {field.type}`" for field in dataclasses.fields(found))
        yield f"**`{name}`** {_text(found)}\n\n{fields}\n"


if __name__ == "__main__":
    sys.stdout.write(page())
