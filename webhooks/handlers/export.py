"""The export action: send a view as a picture, PDF or CSV to Slack or by e-mail, or save it in a folder."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from notifiers import Message, Picture
from webhooks.context import Context
from webhooks.context.changes import CHANGED, DryRun, PerDay, take_use
from webhooks.context.exports import Format, choose_view, find_workbook, render, take_export
from webhooks.destinations import normalize
from webhooks.errors import Permanent, Skip
from webhooks.job import MESSAGE_PREFIX, MISSING
from webhooks.registry import Params, action

if TYPE_CHECKING:
    from collections.abc import Callable

    from tableau_rest.models import View, Workbook

FOLDER = "folder"
WITH_FILES = ("slack", "email")
UNSAFE_IN_FILENAMES = re.compile(r"[^\w .()-]+")
# Bytes; mail servers refuse larger messages.
MAX_FILE = 20 * 1024 * 1024
# Bytes of a file's name without its ending and its numbers; file systems accept 255 in all.
MAX_NAME = 180


def check_target(text: str) -> str:
    """Return where a file goes. Raises ValueError."""
    if text.strip() == FOLDER:
        return FOLDER
    destination = normalize(text)
    if destination.partition(":")[0] not in WITH_FILES:
        raise ValueError(f"{text!r} takes no files; write slack:#channel, email:ann@example.org or {FOLDER}")
    return destination


class ExportParams(Params):
    """The view, the format, and where the file goes."""

    to: Annotated[str, AfterValidator(check_target)] = Field(
        "slack", description="where the file goes: slack:#channel, email:ann@example.org, or folder (EXPORT_DIR)"
    )
    format: Format = Field("pdf", description="the kind of file")
    workbook: str | None = Field(
        None, min_length=1, description="name of the workbook, or its LUID; without it, that of the event"
    )
    view: str | None = Field(None, min_length=1, description="name of the view; without it, the default one")
    filters: dict[str, str | list[str]] = Field({}, description="values of the view's filters, by field")
    text: str = Field("", max_length=2000, description="your own text in the message")
    per_day: PerDay = 5
    dry_run: DryRun = False


@action("export", params=ExportParams)
def export(context: Context, params: ExportParams) -> str:
    """Let Tableau render the view, send or save the file once, and return what was done.

    Raises Skip if the workbook is gone or the daily limit is reached; RetryLater while too many exports run.
    """
    done = context.inbox.checkpoints.get(context.job, CHANGED)
    if done is not MISSING:
        return str(done)
    workbook = find_workbook(context, params.workbook)
    # A PDF shows all views of a workbook.
    is_whole = params.format == "pdf" and params.view is None and not params.filters
    view = None if is_whole else choose_view(workbook, params.view)
    what = f"{workbook.name} / {view.name}" if view else workbook.name
    if params.dry_run:
        raise Skip(f"dry run: {what} would be sent to {params.to} as {params.format}")
    take_use(context, params.per_day, of_rule=True)

    @cache
    def file() -> Picture:
        take_export(context)
        data = render(context, workbook, view, params.format, params.filters).read()
        if len(data) > MAX_FILE:
            raise Permanent(
                f"The export of {what} has {len(data) // 2**20} MB; at most {MAX_FILE // 2**20} can be sent"
            )
        return Picture(data, file_name(workbook, view, params.format), f"{what}, rendered by Tableau")

    if params.to == FOLDER:
        save(context, file())
    else:
        send(context, params, what, file)
    return str(context.checkpoint(CHANGED, lambda: f"{what} sent to {params.to} as {params.format}"))


def file_name(workbook: Workbook, view: View | None, file_format: Format) -> str:
    """Return a name that all file systems accept."""
    name = f"{workbook.name} - {view.name}" if view else workbook.name
    # A character has up to four bytes.
    safe = UNSAFE_IN_FILENAMES.sub("_", name).strip(" .").encode()[:MAX_NAME].decode(errors="ignore").strip(" .")
    return f"{safe or 'export'}.{file_format}"


def save(context: Context, file: Picture) -> None:
    """Save the file in EXPORT_DIR under a name with the numbers of event and job, so that it is there once.

    Raises Permanent if there is no such folder or it cannot be written.
    """
    folder = context.settings.export_dir
    if folder is None:
        raise Permanent("EXPORT_DIR is not set; it names the folder for exported files")
    target = folder / f"{context.event.id}-{context.job.id} {file.filename}"
    unfinished = target.with_name(f".{target.name}.part")
    try:
        unfinished.write_bytes(file.data)
        unfinished.replace(target)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise Permanent(f"The file could not be saved in EXPORT_DIR; mend that and replay the job: {error}") from None
    context.log.info("File saved: %s", target)


def send(context: Context, params: ExportParams, title: str, file: Callable[[], Picture]) -> None:
    """Send the message with its file. Raises Permanent if the message was sent and its file could not be added.

    An e-mail contains its file; in Slack it is added to the message's thread.
    """
    is_mail, key = params.to.startswith("email"), f"export {params.to}"

    def message() -> Message:
        # First of all, so that nothing is sent if it fails.
        made = file()
        return Message(title, params.text, footer=f"Rule: {context.job.rule}", picture=made if is_mail else None)

    context.notify(params.to, message, picture=None if is_mail else file, key=key)
    added = context.inbox.checkpoints.get(context.job, f"{MESSAGE_PREFIX}{key} picture")
    if isinstance(added, dict):
        raise Permanent(f"The message was sent, its file was not: {added.get('problem')}")
