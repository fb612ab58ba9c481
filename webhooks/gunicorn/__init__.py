"""The worker class with which gunicorn serves the application."""
