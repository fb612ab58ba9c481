"""The client: all calls in one class."""

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
from tableau_rest.endpoints.schedules import Schedules
from tableau_rest.endpoints.subscriptions import Subscriptions
from tableau_rest.endpoints.tags import Tags
from tableau_rest.endpoints.users import Users
from tableau_rest.endpoints.views import Views
from tableau_rest.endpoints.webhooks import Webhooks
from tableau_rest.endpoints.workbooks import Workbooks

if TYPE_CHECKING:
    import tableauserverclient as TSC  # noqa: N812 - its usual name


class Tableau(
    Workbooks,
    Datasources,
    Views,
    Flows,
    Projects,
    Users,
    Jobs,
    Refreshes,
    Schedules,
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
    """A client of one site on Tableau Cloud or Server; one object serves all threads of a process.

        tableau = Tableau("https://10ax.online.tableau.com", "marketing", PersonalAccessToken("bot", secret))
        tableau.workbook(luid).owner.name

    `server` may have a scheme; without one it is https, and http is used only if it is written. `site` is the content
    URL, the part of the site's web address; empty for the default site. All further arguments are keyword-only:

    `api_version` None means the server's own. `sessions` is the store in which the session is shared, by default with
    all clients of this process; `session_minutes` is how long it is used, 110 at most. `ca_bundle` is a file
    or directory of certificate authorities that are trusted in addition to the usual ones; `verify` False disables all
    verification of certificates. `observe` is called with the method and the path of each request, for traces, and
    returns a context manager that is entered meanwhile. Raises ValueError for an invalid server, credential, version,
    lifetime or file.
    """

    def as_tsc(self) -> TSC.Server:
        """Return a signed-in `tableauserverclient.Server` that uses the shared session, for calls missing here.

        Its sign_in and sign_out do nothing, because others share the session. Raises ImportError if the package
        tableauserverclient is not installed.
        """
        try:
            from tableau_rest.tsc import SharedServer  # noqa: PLC0415 - optional, and slow to import
        except ImportError as error:
            raise ImportError("as_tsc() needs tableauserverclient: pip install tableauserverclient") from error
        return SharedServer(self)
