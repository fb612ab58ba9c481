"""The label on every call: what it is at Tableau's side, written once, for readers, for docs and for errors."""

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
        scope = f"scope {self.scope}" if self.scope else "no JWT scope is known"
        return " · ".join(filter(None, (self.uri, f"API {self.since}", scope, self.codes)))


def endpoint(uri: str, *, since: str, scope: str = "", codes: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Marks a method as that call of Tableau's: appends it to the docstring, and explains refusals with it."""
    call = Endpoint(uri, since, scope, codes)

    def mark(method: Callable[P, R]) -> Callable[P, R]:
        @wraps(method)
        def explained(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                result = method(*args, **kwargs)
            except errors.TableauError as error:
                _explain(error, call, args[0])
                raise
            return _explaining(result, call, args[0]) if isinstance(result, Iterator) else result  # type: ignore[return-value]

        explained.__doc__ = f"{method.__doc__}\n\n        {call.line}\n        "
        explained.endpoint = call  # type: ignore[attr-defined]
        return explained

    return mark


def _explaining(result: Iterator[Any], call: Endpoint, client: Any) -> Iterator[Any]:
    try:
        yield from result
    except errors.TableauError as error:
        _explain(error, call, client)
        raise


def _explain(error: errors.TableauError, call: Endpoint, client: Any) -> None:
    if error.advice:
        return
    if isinstance(error, errors.UnknownUri) or error.code == "405000":
        error.advice = _unknown(call, client.version)
    elif isinstance(error, errors.Forbidden | errors.Unauthorized):
        error.advice = _rights(call, client)


def _unknown(call: Endpoint, spoken: str) -> str:
    if is_older(spoken, call.since):
        return f"The call needs REST API {call.since}; {spoken} is spoken with this server."
    return "The server's REST API should have this call: is a proxy in the way, or the feature switched off?"


def _rights(call: Endpoint, client: Any) -> str:
    if client.credential.kind != "jwt":
        return "The signed-in user lacks the right to do this on the content or the site."
    if not call.scope:
        return "No JWT scope is known for this call: sign in with the personal access token of an administrator for it."
    return f"With a connected app this needs the scope {call.scope}, and a user who may do it."
