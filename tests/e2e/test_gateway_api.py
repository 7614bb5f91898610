"""What a real API server says of the objects that break the Gateway API's definitions: the same as `validate`.

It needs a cluster with the definitions of `versions.GATEWAY_API`, named by APIOPS_TEST_KUBECONFIG; nothing is made
there (every request is a dry run).
"""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import ssl
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    """The API server of the current context."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        if "client-certificate" in user:
            self._context.load_cert_chain(user["client-certificate"], user["client-key"])
        self._headers = {"Content-Type": "application/json"}
        if "token" in user:
            self._headers["Authorization"] = f"Bearer {user['token']}"
        self._address = cluster["server"]

    def create(self, value: dict[str, Any]) -> tuple[int, list[tuple[str, str]]]:
        """Status, and field and message of each cause."""
        kind = value["kind"]
        namespace = value["metadata"].get("namespace")
        place = f"namespaces/{namespace}/" if namespace else ""
        plural = PLURALS.get(kind, f"{kind.lower()}s")
        address = f"{self._address}/apis/{value['apiVersion']}/{place}{plural}?dryRun=All&fieldValidation=Strict"
        request = urllib.request.Request(address, json.dumps(value).encode(), self._headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, context=self._context, timeout=60) as answer:  # noqa: S310
                return answer.status, []
        except urllib.error.HTTPError as error:
            said = json.loads(error.read())
            causes = said.get("details", {}).get("causes") or [{"message": said["message"]}]
            return error.code, [(cause.get("field", ""), cause["message"]) for cause in causes]


@pytest.fixture(scope="module")
def server():
    given = os.environ.get("APIOPS_TEST_KUBECONFIG")
    if not given:
        pytest.skip("APIOPS_TEST_KUBECONFIG names no cluster")
    return Server(Path(given))


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
