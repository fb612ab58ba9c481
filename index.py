"""The entry: `gunicorn index:app` serves; `python index.py` is the development server with reload."""

from webhooks.app import create_app, develop

app = create_app()

if __name__ == "__main__":
    develop(app)
