"""The application: from an HTTP request to a finished job."""
