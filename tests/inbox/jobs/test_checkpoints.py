"""Test the recorded results of the steps of a job."""

from __future__ import annotations

from tests.inbox.conftest import Plan
from webhooks.inbox import MISSING, Inbox, Namespace


def test_first_result_is_kept(box: Inbox, planned: Plan) -> None:
    """A result is recorded once; null is a result like any other."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    assert box.checkpoints.get(job, "a") is MISSING
    box.checkpoints.set(job, "a", None)
    box.checkpoints.set(job, "a", 2)
    assert box.checkpoints.get(job, "a") is None


def test_each_job_has_its_own_results(box: Inbox, planned: Plan) -> None:
    """The same key of two jobs is two checkpoints."""
    planned(2)
    first, second = box.jobs.claim("me", 2, 30)
    box.checkpoints.set(first, "a", {"ts": "1"})
    assert box.checkpoints.get(first, "a") == {"ts": "1"}
    assert box.checkpoints.get(second, "a") is MISSING


def test_namespaces_do_not_collide(box: Inbox, planned: Plan) -> None:
    """A handler's key and the same key of the framework are two checkpoints."""
    planned()
    (job,) = box.jobs.claim("me", 1, 30)
    box.checkpoints.set(job, "conditions", "the framework's")
    assert box.checkpoints.get(job, "conditions", namespace=Namespace.HANDLER) is MISSING
    box.checkpoints.set(job, "conditions", "the handler's", namespace=Namespace.HANDLER)
    assert box.checkpoints.get(job, "conditions", namespace=Namespace.HANDLER) == "the handler's"
    assert box.checkpoints.get(job, "conditions") == "the framework's"
