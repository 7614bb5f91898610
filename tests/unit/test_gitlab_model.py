"""The spec of a GitLab token, its date, and what `check` says of it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apiops_components import Environment
from apiops_components.errors import Problem, problems_of
from apiops_components.guardrails.expiry import expiring
from apiops_components.models.gitlab import LONGEST_LIFE, GitLabTokenSpec, expiry_problem

SPEC = {
    "url": "https://gitlab.example.com",
    "administrator": "gitlab-administrator",
    "user_id": 42,
    "name": "argocd-prod",
    "scopes": ["read_repository"],
    "expires": "2027-03-31",
}
REPOSITORY = {"url": "https://gitlab.example.com/platform/apis.git"}
LAST = date(2027, 3, 31)


def spec(**changes):
    return GitLabTokenSpec.model_validate({**SPEC, **changes})


def problems(**changes) -> list[Problem]:
    with pytest.raises(ValidationError) as caught:
        spec(**changes)
    return list(problems_of(caught.value, {**SPEC, **changes}))


def test_a_whole_spec():
    made = spec(repository=REPOSITORY, variable={"project": "platform/apis", "key": "TOKEN"})
    assert made.expires == LAST
    assert (made.lifetime_days, made.renew_before_days) == (90, 14)
    assert made.repository.namespace == "argocd"
    assert GitLabTokenSpec.model_validate(made.model_dump(mode="json")) == made


@pytest.mark.parametrize(
    ("changes", "path", "code", "hint"),
    [
        ({"scopes": ["read_repo"]}, "scopes[0]", "gitlab/scope", "did you mean read_repository?"),
        ({"scopes": ["api", "api"]}, "scopes[1]", "gitlab/scope-repeated", ""),
        ({"scopes": ["api", "sudo"]}, "scopes[1]", "gitlab/scope-administrator", "api, or a narrower scope, acts as "),
        ({"scopes": []}, "scopes", "schema/too-short", ""),
        ({"scopes": ["read_user"], "repository": REPOSITORY}, "scopes", "gitlab/scope-missing", "add read_repository"),
        ({"expires": "31.03.2027"}, "expires", "time/day", 'such as "2027-03-31"'),
        ({"expires": "2027-02-30"}, "expires", "time/day", ""),
        ({"expires": 1806451200}, "expires", "time/day", 'such as "2027-03-31"'),
        ({"url": "http://gitlab.example.com"}, "url", "gitlab/plain-http", "use https://; a certificate of your own"),
        ({"url": "https://me:glpat-x@gitlab.example.com"}, "url", "gitlab/url", "scheme and host, such as"),
        ({"url": "gitlab.example.com"}, "url", "gitlab/url", "scheme and host, such as"),
        ({"url": "http://127.0.0.1.example.com"}, "url", "gitlab/plain-http", "use https://"),
        ({"user_id": 0}, "user_id", "schema/greater-than-equal", ""),
        ({"user_id": "root"}, "user_id", "schema/integer", ""),
        ({"lifetime_days": 366}, "lifetime_days", "schema/less-than-equal", ""),
        ({"lifetime_days": 14}, "renew_before_days", "gitlab/lifetime", ""),
        ({"repository": {"url": "https://gitlab.example.com/a/b"}}, "repository.url", "gitlab/repository-suffix", ""),
        ({"repository": {"url": "git@gitlab.example.com:a/b.git"}}, "repository.url", "gitlab/repository-scheme", ""),
        ({"variable": {"project": "a/b", "key": "A-B"}}, "variable.key", "gitlab/variable-key", ""),
    ],
)
def test_what_is_refused(changes, path, code, hint):
    (problem,) = problems(**changes)
    assert (problem.path, problem.code) == (path, code)
    assert problem.hint.startswith(hint)


def test_a_token_in_an_address_is_not_kept():
    with pytest.raises(ValidationError):
        spec(url="https://me:glpat-x@gitlab.example.com")
    assert spec(url="http://127.0.0.1:8080").url == "http://127.0.0.1:8080"
    assert spec(url="https://example.com/gitlab/").url == "https://example.com/gitlab"


@pytest.mark.parametrize(
    ("left", "code"),
    [
        (-1, "gitlab/expired"),
        (0, "gitlab/expired"),
        (1, "gitlab/expires-soon"),
        (14, "gitlab/expires-soon"),
        (15, None),
        (LONGEST_LIFE, None),
        (LONGEST_LIFE + 1, "gitlab/expiry-too-far"),
    ],
)
def test_the_date_seen_on_a_day(left, code):
    problem = spec().problem(LAST - timedelta(days=left))
    assert (problem and problem.code) == code


def test_what_is_said_of_a_date():
    assert str(spec().problem(date(2027, 3, 30))) == (
        "expires: the token ends on 2027-03-31: 1 day is left, and renewal is due 14 days before "
        "[gitlab/expires-soon]\n"
        "    hint: write the next date: apiopsctl gitlab renew"
    )
    assert expiry_problem(LAST, date(2026, 3, 1)).hint == "2027-03-01 or before"


DAYS = st.dates(date(2020, 1, 1), date(2100, 1, 1))


@given(st.data(), DAYS, DAYS)
def test_a_renewed_date_is_right_on_that_day_and_stays(data, expires, today):
    lifetime = data.draw(st.integers(2, LONGEST_LIFE))
    before = data.draw(st.integers(1, lifetime - 1))
    old = spec(expires=expires, lifetime_days=lifetime, renew_before_days=before)
    new = spec(expires=old.renewed(today), lifetime_days=lifetime, renew_before_days=before)
    assert new.problem(today) is None
    assert new.renewed(today) == new.expires


ENVIRONMENT = {
    "name": "prod",
    "owner": "platform@example.com",
    "cluster": {"kind": "existing", "context": "here"},
    "argocd": {"profile": "small"},
    "gitlab_tokens": {"argocd-git": {**SPEC, "repository": REPOSITORY}},
    "secrets": ["gitlab-administrator"],
}


def environment_problems(**changes):
    data = {**ENVIRONMENT, **changes}
    with pytest.raises(ValidationError) as caught:
        Environment.model_validate(data)
    return [(problem.path, problem.code) for problem in problems_of(caught.value, data)]


def test_the_settings_hold_tokens():
    environment = Environment.model_validate(ENVIRONMENT)
    (finding,) = expiring(environment, date(2027, 3, 20))
    assert (finding.guardrail, finding.subject, finding.owner, finding.path, finding.waived) == (
        "gitlab-token-expiry",
        "GitLabToken argocd-git",
        "platform@example.com",
        "gitlab_tokens.argocd-git.expires",
        "",
    )
    assert expiring(environment, date(2027, 3, 1)) == []


def test_what_the_settings_refuse():
    assert environment_problems(secrets=[]) == [("gitlab_tokens.argocd-git.administrator", "secret/undeclared")]
    assert environment_problems(argocd=None) == [("gitlab_tokens.argocd-git.repository", "environment/gitlab")]
    elsewhere = {"profile": "small", "namespace": "gitops"}
    assert environment_problems(argocd=elsewhere) == [
        ("gitlab_tokens.argocd-git.repository.namespace", "environment/gitlab")
    ]
