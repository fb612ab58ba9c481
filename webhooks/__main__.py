"""`python -m webhooks`: the commands of `flask`, wherever Flask's own options and environment are not wanted."""

from __future__ import annotations

from webhooks.garbage_collection import collect_rarely

if __name__ == "__main__":
    collect_rarely()

from webhooks.app import create_app
from webhooks.cli.help import RootGroup

if __name__ == "__main__":
    # Flask's own reading of .env ends with a traceback if the file is not UTF-8; this application reads it itself.
    RootGroup(create_app=create_app, load_dotenv=False).main(prog_name="python -m webhooks")
