"""Tableau: everything this package can do, in one object."""

from __future__ import annotations

from tableau_rest.datasources import Datasources
from tableau_rest.jobs import Jobs
from tableau_rest.pictures import Pictures
from tableau_rest.tags import Tags
from tableau_rest.users import Users
from tableau_rest.views import Views
from tableau_rest.webhooks import Webhooks
from tableau_rest.workbooks import Workbooks


class Tableau(Workbooks, Datasources, Views, Users, Pictures, Jobs, Tags, Webhooks):
    """One site of Tableau Cloud or Server; one object serves all threads of a process.

    tableau = Tableau("https://10ax.online.tableau.com", "marketing", PersonalAccessToken("bot", secret))
    tableau.workbook(luid).owner.name
    """
