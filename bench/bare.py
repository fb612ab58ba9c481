"""What we are measured against: a Flask endpoint that reads JSON and answers, and does nothing else."""

from flask import Flask, request

app = Flask(__name__)


@app.post("/webhook/<token>")
def receive(token: str) -> dict[str, str]:  # noqa: ARG001 — the route is the same as ours
    request.get_json()
    return {"status": "ok"}
