"""The decorator of every call: its URI, version, scope and codes, for readers, for the reference and for errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from tableau_rest import errors
from tableau_rest.protocol.version import is_older

P = ParamSpec("P")
R = TypeVar("R")


class Endpoint(NamedTuple):
    """A method of the REST API: its URI, the oldest version that has it, the JWT scope, the codes to expect."""

    uri: str
    since: str
    scope: str
    codes: str

    @property
    def line(self) -> str:
        """The endpoint in one line of text."""
        scope = f"scope {self.scope}" if self.scope else "no JWT scope is known"
        return " · ".join(filter(None, (self.uri, f"API {self.since}", scope, self.codes)))

    def explain(self, error: errors.TableauError, client: Any) -> None:
        """Add advice to an error that has none: the version, right or scope that is missing."""
        if error.advice:
            return
        if isinstance(error, errors.UnknownUri) or error.code == "405000":
            error.advice = "The server's REST API should have this call: is a proxy in the way, or a feature disabled?"
            if is_older(client.version, self.since):
                error.advice = f"The call needs REST API {self.since}; this server is used with {client.version}."
        elif isinstance(error, errors.Forbidden | errors.Unauthorized):
            if client.credential.kind != "jwt":
                error.advice = "The signed-in user lacks the right to do this on the content or the site."
            elif self.scope:
                error.advice = f"A connected app needs the scope {self.scope}, and its user the right to do this."
            else:
                error.advice = "No JWT scope is known for this call: use the personal access token of an administrator."


def endpoint(uri: str, *, since: str, scope: str = "", codes: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Mark a method as a call of Tableau's: append it to the docstring, and explain its errors."""
    call = Endpoint(uri, since, scope, codes)

    def mark(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def explained(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                result = method(*args, **kwargs)
            except errors.TableauError as error:
                call.explain(error, args[0])
                raise
            return explained_items(result, args[0]) if isinstance(result, Iterator) else result  # type: ignore[return-value]

        def explained_items(result: Iterator[Any], client: Any) -> Iterator[Any]:
            try:
                yield from result
            except errors.TableauError as error:
                call.explain(error, client)
                raise

        explained.__doc__ = f"{method.__doc__}\n\n        {call.line}\n        "
        explained.endpoint = call  # type: ignore[attr-defined]
        return explained

    return mark
