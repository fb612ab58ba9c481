"""The entry point: `gunicorn index:app` serves, `python index.py` starts the development server with reload."""

import gc
import os
import sys

# Modules create many objects and no garbage: with Python's default, collections take a tenth of a command's start.
if os.environ.get("FLASK_RUN_FROM_CLI") == "true":
    gc.set_threshold(50_000)

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
