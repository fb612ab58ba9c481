"""`python deploy/healthcheck.py`: ends with 0 while the server on this machine is ready, for containers."""

from __future__ import annotations

import os
import sys
from http.client import HTTPConnection, HTTPException

SECONDS = 4


def main() -> None:
    """Ends with 1 and the reason unless /readyz answers 200."""
    # No proxy of the environment gets between, as it would with urllib.
    connection = HTTPConnection("127.0.0.1", int(os.environ.get("PORT") or 8000), timeout=SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace").strip()
    except (OSError, HTTPException) as error:
        sys.exit(f"No answer: {error}")
    finally:
        connection.close()
    print(text)
    sys.exit(0 if answer.status == 200 else 1)


if __name__ == "__main__":
    main()
