"""What a pipeline says where a merge request is reviewed: one comment, and the status of a commit."""

from __future__ import annotations

from pydantic import BaseModel

from apiops_components.integrations.gitlab_api import Api, User, project_path

__all__ = ["Review"]

_LONGEST = 1_000_000
"""Characters that GitLab takes in a comment."""


class _Note(BaseModel):
    id: int
    body: str
    system: bool = False
    author: User


class _Status(BaseModel):
    status: str
    description: str | None = None


class Review(Api):
    """One GitLab instance, asked with a token that may comment (Reporter) and set statuses (Developer)."""

    def comment(self, project: str, merge_request: int, body: str, *, key: str) -> str:
        """Writes the one comment with this key on a merge request, or updates it.

        Returns:
            ``created``, ``updated`` or ``unchanged``.
        """
        text = _fitting(f"<!-- apiops:{key} -->\n{body}")
        path = f"{project_path(project)}/merge_requests/{merge_request}/notes"
        what = f"the comments of merge request {merge_request} of {project}"
        me = self.myself()

        def mine() -> list[_Note]:
            notes = self.all(_Note, path, what, sort="asc", order_by="created_at")
            mark = text.partition("\n")[0]
            return [
                note
                for note in notes
                if not note.system and note.author.id == me.id and note.body.partition("\n")[0].strip() == mark
            ]

        notes = mine()
        if not notes:
            self.post(_Note, path, {"body": text}, what, found=lambda: next(iter(mine()), None))
            return "created"
        for twin in notes[1:]:  # two pipelines at once
            self.delete(f"{path}/{twin.id}", what)
        if notes[0].body.strip() == text.strip():
            return "unchanged"
        self.put(f"{path}/{notes[0].id}", {"body": text}, what)
        return "updated"

    def status(self, project: str, commit: str, state: str, *, name: str, description: str, target: str = "") -> str:
        """Sets the status that pipelines show beside a commit: ``set``, or ``unchanged`` where it is that already."""
        what = f"the status {name!r} of commit {commit[:12]} of {project}"
        path = f"{project_path(project)}/repository/commits/{commit}/statuses"

        def same() -> _Status | None:
            # GitLab refuses the change of a status to what it is.
            newest = next(iter(self.all(_Status, path, what, name=name)), None)
            return (
                newest if newest is not None and (newest.status, newest.description) == (state, description) else None
            )

        if same() is not None:
            return "unchanged"
        data = {"state": state, "name": name, "description": description} | ({"target_url": target} if target else {})
        self.post(_Status, f"{project_path(project)}/statuses/{commit}", data, what, found=same)
        return "set"


def _fitting(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    end = "\n\n… the rest is too long for a comment"
    kept = text[: _LONGEST - len(end)]
    return kept[: kept.rfind("\n")] + end
