"""Hands our shared session to the official client, tableauserverclient, for people who know that library.

https://tableau.github.io/server-client-python/
"""

from __future__ import annotations

from contextlib import nullcontext

import tableauserverclient as TSC  # noqa: N812  so everybody calls it

from tableau_rest.connection import Connection
from tableau_rest.transport import EXPORT_TIMEOUTS, RenewingSession


class SharedServer(TSC.Server):
    """A TSC Server that is signed in for as long as we are: every call asks us for the token of the moment."""

    def __init__(self, ours: Connection) -> None:
        self._ours = ours
        super().__init__(  # type: ignore[no-untyped-call]
            ours.session().server,
            http_options={"verify": ours.verify, "timeout": (EXPORT_TIMEOUTS.connect, EXPORT_TIMEOUTS.read)},
            session_factory=lambda: RenewingSession(ours.renew_token),
        )
        self.version = ours.version
        # Whoever signs out ends the session for everybody; whoever signs in with a shared token does too.
        self.auth.sign_out = lambda: None  # type: ignore[method-assign]
        self.auth.sign_in = lambda *_: nullcontext()  # type: ignore[method-assign,assignment]

    @property
    def auth_token(self) -> str:
        return self._ours.session().token

    @property
    def site_id(self) -> str:
        return self._ours.session().site_luid

    @property
    def user_id(self) -> str:
        return self._ours.session().user_luid

    @property
    def site_url(self) -> str:
        return self._ours.site_name

    def is_signed_in(self) -> bool:
        return True
