"""The entry point: `gunicorn index:app` serves, `python index.py` starts the development server with reload."""

import os
import sys

from webhooks.garbage_collection import collect_rarely

if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
    # Before everything else is imported: modules create many objects and no garbage.
    collect_rarely()

from webhooks.app import create_app, develop
from webhooks.config.environment import require_gunicorn_configuration

try:
    require_gunicorn_configuration()
    app = create_app()
except RuntimeError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"Error: {error}")

if __name__ == "__main__":
    try:
        develop(app)
    except RuntimeError as error:
        sys.exit(f"Error: {error}")
