"""The page for people: what happened, what was said, and buttons that make more happen."""

from flask import Blueprint, render_template

page = Blueprint("page", __name__)


@page.get("/")
def index() -> str:
    """The page."""
    return render_template("index.html")
