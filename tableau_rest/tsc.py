"""The shared session for the official client, tableauserverclient.

https://tableau.github.io/server-client-python/
"""

from __future__ import annotations

from contextlib import nullcontext

import tableauserverclient as TSC  # noqa: N812 - its usual name

from tableau_rest.connection import Connection
from tableau_rest.transport import EXPORT_TIMEOUTS, RenewingSession


class SharedServer(TSC.Server):
    """A TSC Server that is always signed in: every call uses the current token of the shared session."""

    def __init__(self, client: Connection) -> None:
        self._client = client
        server = client.session().server
        super().__init__(  # type: ignore[no-untyped-call]
            server,
            http_options={"verify": client.verify, "timeout": (EXPORT_TIMEOUTS.connect, EXPORT_TIMEOUTS.read)},
            session_factory=lambda: RenewingSession(
                server, client.renew_token, client.remember_refusal, ca_bundle=client.ca_bundle
            ),
        )
        self.version = client.version
        # Signing out would end the session of all others, and so would signing in with a shared token.
        self.auth.sign_out = lambda: None  # type: ignore[method-assign]
        self.auth.sign_in = lambda *_: nullcontext()  # type: ignore[method-assign,assignment]

    @property
    def auth_token(self) -> str:
        return self._client.session().token

    @property
    def site_id(self) -> str:
        return self._client.session().site_luid

    @property
    def user_id(self) -> str:
        return self._client.session().user_luid

    @property
    def site_url(self) -> str:
        return self._client.site_name

    def is_signed_in(self) -> bool:
        return True
