"""The sms_reply action: name the person who replied by text message, and answer them."""

from __future__ import annotations

from webhooks.context import Context
from webhooks.errors import Skip
from webhooks.messages.sms_answer import sms_answer
from webhooks.registry import Params, action

# Answers to one number within an hour: a mailbox that answers by itself would go on forever.
MAX_ANSWERS = 10


class ReplyParams(Params):
    """The number, why nothing was acknowledged, the incidents, and the numbers of the acts that were stored."""

    sender: str
    problem: str = ""
    incidents: tuple[dict[str, str | int], ...] = ()
    acts: tuple[int, ...] = ()


@action("sms_reply", params=ReplyParams, in_rules=False)
def sms_reply(context: Context, params: ReplyParams) -> None:
    """Replace the number by the name that [access] gives it, and send the answer. Raises Skip for too many answers."""
    name = context.access.name_of_number(params.sender)
    for act in params.acts if name else ():
        context.inbox.incidents.name_author(act, name)

    def may_answer() -> bool:
        return context.inbox.quotas.take(f"answers to {params.sender}", MAX_ANSWERS)

    if not context.checkpoint("may answer", may_answer):
        raise Skip(f"this number got {MAX_ANSWERS} answers within an hour")
    context.notify(f"twilio:{params.sender}", sms_answer(params.problem, params.incidents), site=False)
