"""The transfer action: give the content that an event is about to another owner, or move it to another project."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from tableau_rest.protocol.luid import is_luid
from tableau_rest.protocol.query import is_expressible, where
from webhooks.context import Context
from webhooks.context.changes import Change, DryRun, PerDay, change_once, content_now
from webhooks.errors import Permanent, Skip
from webhooks.registry import Params, action

KINDS = ("workbook", "datasource")
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]


class TransferParams(Params):
    """The new owner and the new project."""

    owner: Name | None = Field(
        None, description="user name of the new owner, on Tableau Cloud an e-mail address; or LUID"
    )
    project: Name | None = Field(None, description="path of the new project, such as Finance/Archive")
    per_day: PerDay = 3
    dry_run: DryRun = False

    @model_validator(mode="after")
    def _has_a_target(self) -> Self:
        if self.owner is None and self.project is None:
            raise ValueError('write the new owner or project, such as { owner = "ann@example.org" }')
        return self


@action("transfer", params=TransferParams)
def transfer(context: Context, params: TransferParams) -> str:
    """Change owner and project in one call. Raises Skip if they are as wanted, Permanent if Tableau has no such one.

    The Updated event of this change may run this again: the skip ends that loop.
    """

    def find() -> Change:
        content = content_now(context, KINDS, "cannot be transferred")
        wanted: dict[str, str] = {}
        words = []
        if params.owner is not None and (owner := find_owner(context, params.owner)) != content.owner.luid:
            wanted["owner"] = owner
            words.append(f"owner {params.owner}")
        if params.project is not None and (project := find_project(context, params.project)) != content.project.luid:
            wanted["project"] = project
            words.append(f"project {params.project}")
        if not wanted:
            raise Skip("it has this owner and project already")
        tableau = context.tableau
        update: Any = tableau.update_workbook if content.kind == "workbook" else tableau.update_datasource
        return Change(" and ".join(words), "set", lambda: update(content, **wanted))

    return change_once(context, params, find)


def find_owner(context: Context, name: str) -> str:
    """Return the LUID of the user with exactly this name. Raises Permanent if there is none, or more than one.

    Users of several domains of a Tableau Server may have the same name; a LUID is returned as it is.
    """
    if is_luid(name):
        return name.lower()
    filters = [where("name", "eq", name)] if is_expressible(name) else []
    found = [one for one in context.tableau.users(*filters, fields="") if one.name == name]
    if not found:
        raise Permanent(f"The site has no user {name}; write the user name as in Tableau")
    if len(found) > 1:
        raise Permanent(
            f"{len(found)} users are called {name}; write the LUID: {' or '.join(one.luid for one in found)}"
        )
    return found[0].luid


def find_project(context: Context, path: str) -> str:
    """Return the LUID of the project with this path, or name if only one has it. Raises Permanent."""
    projects = {one.luid: one for one in context.tableau.projects()}

    def path_of(luid: str) -> str:
        parts: list[str] = []
        while luid in projects and len(parts) <= len(projects):
            parts.insert(0, projects[luid].name)
            luid = projects[luid].parent_luid
        return "/".join(parts)

    paths = {luid: path_of(luid) for luid in projects}
    found = [luid for luid, one in paths.items() if one.casefold() == path.casefold()]
    found = found or [luid for luid, one in projects.items() if one.name.casefold() == path.casefold()]
    if len(found) == 1:
        return found[0]
    if found:
        raise Permanent(
            f"{len(found)} projects are called {path}; write the path: {' or '.join(paths[one] for one in found)}"
        )
    raise Permanent(f"The site has no project {path}, or the server's Tableau user cannot see it")
