"""`python -m webhooks`: the commands of `flask`, wherever Flask's own options and environment are not wanted."""

from __future__ import annotations

from webhooks.app import create_app
from webhooks.cli.help import RootGroup

if __name__ == "__main__":
    RootGroup(create_app=create_app).main(prog_name="python -m webhooks")
