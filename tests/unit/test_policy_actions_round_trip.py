"""A document that is read and written again is the same document, whichever actions it holds."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from apiops_components import TrafficPolicy, policy_document
from apiops_components.documents import dump_all, load_all
from apiops_components.models.policy.action import PHASES
from apiops_components.models.policy.actions import ACTIONS
from apiops_components.testing import policies
from apiops_components.testing.policies import traffic_policies

every_phase = traffic_policies(PHASES, with_login=True)
slowly = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(every_phase)
def test_what_is_written_is_read_back_as_the_same_policy_and_the_same_document(policy):
    document = policy_document(policy)
    again = TrafficPolicy.model_validate(document)
    assert again == policy
    assert policy_document(again) == document
    assert again.warnings() == ()


@slowly
@given(every_phase)
def test_json_and_yaml_give_the_same_policy(policy):
    document = policy_document(policy)
    out = io.StringIO()
    dump_all([document], out)
    (read,) = load_all(out.getvalue().encode(), "policy.yaml")
    assert TrafficPolicy.model_validate(read.value) == policy
    (read,) = load_all(json.dumps(document).encode(), "policy.json")
    assert TrafficPolicy.model_validate(read.value) == policy


def test_the_strategies_reach_every_action():
    seen = set()

    @settings(deadline=None, max_examples=1000, database=None, derandomize=True, phases=[Phase.generate])
    @given(st.one_of(*map(policies.actions, PHASES), policies.logins()))
    def look(step):
        seen.add(step.type)

    look()
    assert seen == ACTIONS.keys() - {"ai-gateway"}


AS_WRITTEN = [
    {"on_http_request": []},
    {"on_http_request": [{"name": 1, "actions": [{"type": "deny"}]}]},
    {"on_http_request": [{"expressions": [], "actions": [{"type": "deny", "config": {}}]}], "on_http_response": []},
    {"on_http_request": [{"actions": [{"type": "add-headers", "config": {"headers": {"x-retries": 3}}}]}]},
    {"on_http_request": [{"actions": [{"type": "set-vars", "config": {"vars": [{"none": None}, {"list": [None]}]}}]}]},
    {"on_http_request": [{"actions": [{"type": "log", "config": {"metadata": {"none": None, "deep": {"n": [1.5]}}}}]}]},
    {
        "on_http_request": [
            {"actions": [{"type": "ai-gateway", "config": {"providers": [{"id": "openai", "x": None}]}}]}
        ]
    },
    {"on_http_request": [{"actions": [{"type": "url-rewrite", "config": {"from": "/a", "to": "/$1"}}]}]},
]


@pytest.mark.parametrize("document", AS_WRITTEN, ids=json.dumps)
def test_what_is_written_though_it_need_not_be_stays(document):
    policy = TrafficPolicy.model_validate(document)
    assert policy_document(policy) == document
    out = io.StringIO()
    dump_all([document], out)
    (read,) = load_all(out.getvalue().encode(), "policy.yaml")
    assert policy_document(TrafficPolicy.model_validate(read.value)) == document


@given(st.sampled_from(AS_WRITTEN[1:3]))
def test_how_it_was_written_makes_no_other_policy(document):
    (rule,) = document["on_http_request"]
    short = {
        "on_http_request": [{key: value for key, value in rule.items() if value} | {"actions": [{"type": "deny"}]}]
    }
    assert TrafficPolicy.model_validate(document) == TrafficPolicy.model_validate(short)
