"""What a real API server says of the objects that break the Gateway API's definitions: the same as `validate`.

Nothing is made there: every request is a dry run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from apiops_components.sandbox.kube import Cluster, Refused

pytestmark = pytest.mark.e2e

UNIT = Path(__file__).parents[1] / "unit/test_gateway_constraints.py"
PLURALS = {"BackendTLSPolicy": "backendtlspolicies", "GatewayClass": "gatewayclasses"}


def constraints() -> Any:
    spec = importlib.util.spec_from_file_location("gateway_constraints", UNIT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UNDER_TEST = constraints()


class Server:
    """The API server of the sandbox."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def create(self, value: dict[str, Any]) -> tuple[int, list[tuple[str, str]]]:
        """Status, and field and message of each cause."""
        path = self._cluster.resource(value["apiVersion"], value["kind"]).path(value["metadata"].get("namespace"))
        query = {"dryRun": "All", "fieldValidation": "Strict"}
        try:
            self._cluster.request("POST", path, value, query=query)
        except Refused as refused:
            causes = refused.causes or [{"message": refused.message}]
            return refused.status, [(cause.get("field", ""), cause["message"]) for cause in causes]
        return 201, []


@pytest.fixture(scope="module")
def server(full):
    return Server(full.cluster())


@pytest.mark.parametrize("kind", sorted(UNDER_TEST.EVERY_FIELD))
def test_the_server_takes_what_is_valid_here(server, kind):
    for version in UNDER_TEST.STATED[kind]["versions"]:
        for spec in UNDER_TEST.EVERY_FIELD[kind]:
            assert server.create(UNDER_TEST.document(kind, spec, version)) == (201, [])


@pytest.mark.parametrize("case", UNDER_TEST.BROKEN, ids=lambda case: f"{case.kind} {case.place} {case.keyword}")
def test_the_server_refuses_what_is_refused_here_with_the_same_message(server, case):
    status, causes = server.create(UNDER_TEST.document(case.kind, case.spec))
    assert status in (400, 422)
    if " " not in case.keyword or case.keyword in UNDER_TEST.SAID_BY_THE_SCHEMA:
        return
    (field,) = {field for field, message in causes if message.endswith(f": {case.keyword}")}
    assert case.path.startswith(field)  # here the blame is put on one of its fields, where there is one
