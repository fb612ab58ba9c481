"""The entry point: `gunicorn index:app` serves, `python index.py` starts the development server with reload."""

import os
import sys

from webhooks.garbage_collection import collect_rarely

if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
    # Before everything else is imported: modules create many objects and no garbage.
    collect_rarely()

from webhooks.app import create_app, develop
from webhooks.config import environment

try:
    environment.require_gunicorn_configuration()
    # gunicorn.conf.py completes the start once the first process serves.
    app = create_app(complete=not environment.gunicorn_serves)
except RuntimeError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"Error: {error}")

if __name__ == "__main__":
    try:
        develop(app)
    except RuntimeError as error:
        sys.exit(f"Error: {error}")
