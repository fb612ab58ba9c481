"""The application: from an HTTP request to a finished job."""

import os

# To find plugins, pydantic would read the metadata of all installed packages at each start,
# https://docs.pydantic.dev/latest/concepts/plugins/
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
