from __future__ import annotations

import json
from textwrap import dedent

import pytest
from pydantic import BaseModel

import apiops_components
from apiops_components.cli import main
from apiops_components.cli.schema import model_homes
from apiops_components.models.docs import field_docs
from apiops_components.models.explanation import explain
from apiops_components.models.policy.action import PHASES
from apiops_components.models.policy.actions import ACTIONS
from apiops_components.validation.modelled import MODELLED


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["explain", *arguments])
    return ended.value.code, capsys.readouterr()


def shown(capsys, name):
    code, (out, err) = run(capsys, name)
    assert (code, err) == (0, "")
    return out


def test_a_field_is_told_with_type_default_limits_and_words(capsys):
    assert shown(capsys, "RateLimit.rate") == dedent("""\
        RateLimit.rate
          type      string
          default   required
          limit     60s to 24h
          limit     a multiple of 10s
          limit     format duration

          Length of the period: 60s to 24h, a multiple of 10s.
        """)


def test_an_action_goes_by_its_class_or_by_ngroks_name(capsys):
    by_name, by_class = shown(capsys, "deny"), shown(capsys, "Deny")

    assert by_name.splitlines()[1:] == by_class.splitlines()[1:]
    assert by_class == dedent("""\
        Deny
          action    deny, in on_tcp_connect, on_http_request

          Refuses the request, or the connection.

          status_code  integer, optional. 403 by default; in on_http_request only.
        """)


def test_a_field_that_is_a_model_shows_what_both_say_and_its_fields(capsys):
    assert shown(capsys, "JwtValidation.jws") == dedent("""\
        JwtValidation.jws
          type      Jws
          default   required

          How they are signed.

          Signatures.

          allowed_algorithms  list of string, required. Such as RS256 or ES256; ``none`` is refused. ngrok
                              publishes no list.
          keys                Keys, required. The keys that signatures are checked with. A mapping, though
                              ngrok's table says list.
        """)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("jwt-validation.issuer.allow_list.value", ["  limit     ${…} in it is evaluated"]),
        ("TrafficPolicy.on_http_request.actions.rate-limit.capacity", ["  limit     1 to 2000000000"]),
        ("url-rewrite.from_", ["url-rewrite.from", "  limit     format re2"]),
        ("url-rewrite.from", ["url-rewrite.from"]),
        ("Filter.request_redirect.status_code", ["Filter.requestRedirect.statusCode", "  default   default 302"]),
        ("RateLimit.bucket_key", ["  limit     1 to 10 entries", "  limit     each at least 1 character"]),
        ("Environment.teams.owner", ["  default   required"]),
        ("rate-limit", ["  result    actions.ngrok.rate_limit"]),
    ],
)
def test_lists_mappings_and_other_spellings_lead_to_the_field(capsys, name, lines):
    assert set(lines) <= set(shown(capsys, name).splitlines())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RateLimt", "unknown model 'RateLimt'; did you mean RateLimit?"),
        ("rate-limits", "unknown model 'rate-limits'; did you mean rate-limit?"),
        ("qqq", "unknown model 'qqq'; `apiopsctl schema` lists the models"),
        ("RateLimit.capacty", "RateLimit has no field 'capacty'; did you mean capacity?"),
        ("Deny.qqq", "Deny has no field 'qqq'; known: status_code"),
        ("RateLimit.capacity.qqq", "RateLimit.capacity has no fields"),
        ("RateLimit.", "RateLimit has no field ''; known: name, algorithm, capacity, rate, bucket_key, enforce"),
        ("", "unknown model ''; `apiopsctl schema` lists the models"),
    ],
)
def test_a_wrong_name_is_wrong_usage_with_the_nearest(capsys, name, message):
    code, (out, err) = run(capsys, name)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1] == f"Error: {message}"


def test_json_is_one_document(capsys):
    code, (out, err) = run(capsys, "rate-limit", "--format", "json")
    found = json.loads(out)

    assert (code, err) == (0, "")
    assert (found["action"], found["phases"], found["result"]) == (
        "rate-limit",
        ["on_http_request"],
        "actions.ngrok.rate_limit",
    )
    assert found["fields"][2] == {
        "name": "capacity",
        "type": "integer",
        "required": True,
        "default": None,
        "constraints": ["1 to 2000000000"],
        "description": "Requests that a bucket takes in each period: 1 to 2,000,000,000.",
        "about": "",
        "fields": [],
    }


@pytest.mark.parametrize("kind", ACTIONS)
def test_each_action_is_explained_with_its_phases(capsys, kind):
    code, (out, _) = run(capsys, kind, "--format", "json")
    found = json.loads(out)

    assert code == 0
    assert found["description"]
    assert set(found["phases"]) == ACTIONS[kind].phases <= set(PHASES)


MODELS = {
    name: found
    for name in sorted(model_homes())
    if isinstance(found := getattr(apiops_components, name), type) and issubclass(found, BaseModel)
}


@pytest.mark.parametrize("name", MODELS)
def test_each_field_of_each_model_is_explained_in_its_own_words(name):
    model = MODELS[name]
    docs = field_docs(model)
    whole = explain(model, name, ())

    assert [field.name for field in whole.fields] == [
        field.serialization_alias or field.alias or key for key, field in model.model_fields.items()
    ]
    for key, field in model.model_fields.items():
        found = explain(model, name, (key,))
        assert found.description == docs[key]
        assert found.type
        assert found.required == field.is_required()


@pytest.mark.parametrize("name", ["HTTPRoute.spec.rules.timeouts", "httproute.rules[0].timeouts"])
def test_a_kind_is_explained_by_the_path_that_an_error_prints(capsys, name):
    assert shown(capsys, name).splitlines()[:3] == [
        "HTTPRoute.spec.rules.timeouts",
        "  type      Timeouts",
        "  default   optional",
    ]


def test_a_kind_alone_is_what_is_modelled_of_it(capsys):
    assert shown(capsys, "NgrokTrafficPolicy").startswith("NgrokTrafficPolicy.spec.policy\n")


@pytest.mark.parametrize("field", ["metadata.name", "status", "apiVersion"])
def test_what_every_kind_has_is_not_explained(capsys, field):
    code, (out, err) = run(capsys, f"Gateway.{field}")

    assert (code, out) == (2, "")
    assert f"{field.partition('.')[0]} is the same in every kind and not explained here; what is: spec" in err


@pytest.mark.parametrize("kind", sorted(kind for _, kind in MODELLED))
def test_each_kind_and_each_of_its_fields_is_explained(capsys, kind):
    found = json.loads(run(capsys, kind, "--format", "json")[1].out)

    assert found["about"] or found["description"]
    assert found["fields"]
    for field in found["fields"]:
        assert (kind, field["name"], field["description"] or field["about"]) > (kind, field["name"], "")
