"""The one comment of a merge request, and the status of a commit."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from apiops_components.errors import NotRunnable
from apiops_components.integrations.gitlab_review import Review
from apiops_components.integrations.transport import Limits

FAST = Limits(connect=1, read=0.4, total=0.5, attempts=3, waiting=5)
NOTES = "/projects/platform%2Fapis/merge_requests/5/notes"
STATUSES = "/projects/platform%2Fapis/statuses/abc123"


@pytest.fixture
def review(gitlab):
    return Review(gitlab.url, SecretStr("glpat-administrator-0000"), limits=FAST, sleep=[].append)


def comment(review, text="# Preview\n\nall well", key="preview"):
    return review.comment("platform/apis", 5, text, key=key)


def note(gitlab, body, author=1, **more):
    gitlab.notes.append(
        {"id": len(gitlab.notes) + 1, "body": body, "system": False, "author": {"id": author, "username": "u"}, **more}
    )


def test_created_then_unchanged_then_updated_in_place(gitlab, review):
    assert [comment(review), comment(review), comment(review, "# Preview\n\nchanged")] == [
        "created",
        "unchanged",
        "updated",
    ]
    (kept,) = gitlab.notes
    assert kept["body"] == "<!-- apiops:preview -->\n# Preview\n\nchanged"


def test_two_keys_are_two_comments(gitlab, review):
    assert (comment(review), comment(review, key="drift")) == ("created", "created")
    assert len(gitlab.notes) == 2


def test_what_others_wrote_is_left_alone(gitlab, review):
    note(gitlab, "<!-- apiops:preview -->\nan imitation", author=666)
    note(gitlab, "please look at <!-- apiops:preview -->")
    note(gitlab, "<!-- apiops:preview -->", system=True)
    assert comment(review) == "created"
    assert [found["body"].splitlines()[-1] for found in gitlab.notes][:3] == [
        "an imitation",
        "please look at <!-- apiops:preview -->",
        "<!-- apiops:preview -->",
    ]


def test_one_on_a_later_page_is_updated(gitlab, review):
    for number in range(7):
        note(gitlab, f"comment {number}")
    note(gitlab, "<!-- apiops:preview -->\nold")
    assert comment(review) == "updated"
    assert len(gitlab.notes) == 8


def test_of_two_that_pipelines_made_at_once_the_first_is_kept(gitlab, review):
    note(gitlab, "<!-- apiops:preview -->\nfirst")
    note(gitlab, "<!-- apiops:preview -->\nsecond")
    assert comment(review) == "updated"
    assert [found["id"] for found in gitlab.notes] == [1]


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("name", ["close", "hang", "cut"])
def test_never_a_second_one_where_the_answer_is_lost(gitlab, review, faults, name, done):
    gitlab.fail("POST", NOTES, getattr(faults, name), done=done)
    assert comment(review) == "created"
    assert len(gitlab.notes) == 1


@pytest.mark.parametrize("status", [500, 502])
def test_never_a_second_one_after_a_fault_of_the_server(gitlab, review, faults, status):
    gitlab.fail("POST", NOTES, faults.answer(status), done=True)
    assert comment(review) == "created"
    assert len(gitlab.notes) == 1


def test_a_merge_request_that_is_not_there(review):
    with pytest.raises(NotRunnable, match="does not find the comments of merge request 6 of platform/apis"):
        review.comment("platform/apis", 6, "text", key="preview")


def test_a_text_that_is_too_long_is_cut_at_a_line(gitlab, review):
    comment(review, "\n".join(["a line"] * 200_000))
    body = gitlab.notes[0]["body"]
    assert len(body) <= 1_000_000
    assert body.endswith("\na line\n\n… the rest is too long for a comment")


def status(review, state="success", description="all well"):
    return review.status("platform/apis", "abc123", state, name="apiops", description=description)


def test_a_status_is_set_once(gitlab, review):
    assert [status(review, "running", ""), status(review), status(review)] == ["set", "set", "unchanged"]
    (kept,) = gitlab.statuses
    assert (kept["status"], kept["name"], kept["sha"]) == ("success", "apiops", "abc123")


@pytest.mark.parametrize("done", [True, False])
def test_a_status_is_set_although_the_answer_is_lost(gitlab, review, faults, done):
    gitlab.fail("POST", STATUSES, faults.close, done=done)
    assert status(review) == "set"
    assert len(gitlab.statuses) == 1


def test_a_status_that_gitlab_refuses(gitlab, review, faults):
    gitlab.fail("POST", STATUSES, faults.answer(403))
    with pytest.raises(NotRunnable, match="the token may not make the status 'apiops' of commit abc123"):
        status(review)
