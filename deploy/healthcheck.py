"""Exit with 0 while the server on this machine is ready, for containers: `python deploy/healthcheck.py`."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

TIMEOUT_SECONDS = 4


def main() -> None:
    """Exit with 1 and the reason unless /readyz responds with 200."""
    # http.client ignores the proxy settings of the environment, which urllib would use.
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        text = response.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        sys.exit(f"No response: {error}")
    finally:
        connection.close()
    print(text)
    sys.exit(0 if response.status == 200 else 1)


if __name__ == "__main__":
    main()
