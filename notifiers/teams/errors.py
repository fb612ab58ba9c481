"""Turn the responses of workflows into errors. Pure.

https://learn.microsoft.com/azure/logic-apps/logic-apps-http-endpoint
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from notifiers.errors import NotifierError
from notifiers.responses import refusal as status_refusal

if TYPE_CHECKING:
    from notifiers.transport import Response

ADVICE = {
    "DirectApiAuthorizationRequired": "the address has no valid signature; copy it again, with everything after sig=",
    "DirectApiInvalidAuthorizationScheme": "only people of the organization may trigger the workflow; let anyone",
    "MisMatchingOAuthClaims": "only people of the organization may trigger the workflow; let anyone",
    "WorkflowNotFound": "the workflow was deleted, or its address has changed; copy it again",
    "WorkflowTriggerIsNotEnabled": "the workflow is turned off; turn it on in Power Automate",
    "WorkflowTriggerNotFound": "the workflow has another trigger; create it from the template for webhook requests",
}
# Advice for responses without a code that is known.
BY_STATUS = {
    401: "the signature in the address is not valid; copy it again",
    403: "the signature in the address is not valid; copy it again",
    404: "the workflow was deleted, or its address has changed; copy it again",
    413: "the card is too large",
}


def refusal(response: Response, now: datetime) -> NotifierError:
    """Return the error for a response that is not a success."""
    details = response.json().get("error")
    found = details if isinstance(details, dict) else {}
    code, said = str(found.get("code") or ""), str(found.get("message") or "")
    advice = ADVICE.get(code) or said or BY_STATUS.get(response.status, "")
    reason = ": ".join(filter(None, [code, advice]))
    return status_refusal("Teams", response.status, response.headers, now, reason)
