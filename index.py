"""The entry: `gunicorn index:app` serves; `python index.py` is the development server with reload."""

import sys

from webhooks.app import create_app, develop

try:
    app = create_app()
except RuntimeError as error:
    if __name__ != "__main__":
        raise
    sys.exit(f"Error: {error}")

if __name__ == "__main__":
    develop(app)
