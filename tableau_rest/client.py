"""Tableau: everything this package can do, in one object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tableau_rest.endpoints.datasources import Datasources
from tableau_rest.endpoints.exports import Exports
from tableau_rest.endpoints.flows import Flows
from tableau_rest.endpoints.jobs import Jobs
from tableau_rest.endpoints.keep_alive import KeepAlive
from tableau_rest.endpoints.labels import Labels
from tableau_rest.endpoints.metadata import Metadata
from tableau_rest.endpoints.permissions import Permissions
from tableau_rest.endpoints.previews import Previews
from tableau_rest.endpoints.projects import Projects
from tableau_rest.endpoints.refreshes import Refreshes
from tableau_rest.endpoints.subscriptions import Subscriptions
from tableau_rest.endpoints.tags import Tags
from tableau_rest.endpoints.users import Users
from tableau_rest.endpoints.views import Views
from tableau_rest.endpoints.webhooks import Webhooks
from tableau_rest.endpoints.workbooks import Workbooks

if TYPE_CHECKING:
    import tableauserverclient as TSC  # noqa: N812  so everybody calls it


class Tableau(
    Workbooks,
    Datasources,
    Views,
    Flows,
    Projects,
    Users,
    Jobs,
    Refreshes,
    Webhooks,
    Tags,
    Labels,
    Permissions,
    Previews,
    Exports,
    Metadata,
    Subscriptions,
    KeepAlive,
):
    """One site of Tableau Cloud or Server; one object serves all threads of a process.

        tableau = Tableau("https://10ax.online.tableau.com", "marketing", PersonalAccessToken("bot", secret))
        tableau.workbook(luid).owner.name

    Everything after the credential is optional and keyword-only:

    `server` with or without a scheme; without one it is https, and http only where it is written. `site` is the content
    URL, the part of the site's web address; empty for the default site. `api_version` None means what the server
    offers. `sessions` is where the session is shared, by default among all clients of this process; `session_minutes`
    how long one is used, 110 at most. `verify` is what requests takes: True, False, or the file of your own
    certificates. Raises ValueError for a server, credential, version or lifetime that cannot be.
    """

    def as_tsc(self) -> TSC.Server:
        """A signed-in `tableauserverclient.Server` that uses our shared session: for what is missing here.

        Its sign_in and sign_out do nothing, as the session is everybody's. Raises ImportError where the package
        tableauserverclient is not installed.
        """
        try:
            from tableau_rest.tsc import SharedServer  # noqa: PLC0415  optional, and slow to import
        except ImportError as exc:
            raise ImportError("as_tsc() needs tableauserverclient: pip install tableauserverclient") from exc
        return SharedServer(self)
