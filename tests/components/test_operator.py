"""The ngrok operator as Pulumi resources."""

from __future__ import annotations

import tarfile
from unittest.mock import ANY

import pulumi
import pulumi_kubernetes as kubernetes
import pytest

from apiops_components import versions
from apiops_components.components.operator import NgrokOperator
from apiops_components.documents import dump
from apiops_components.errors import InvalidInput
from apiops_components.models.operator import NgrokOperatorSpec
from apiops_components.render.operator import operator_values
from apiops_components.testing.pulumi import SECRET, record

SENTINEL = "sentinel-of-a-secret"
RELEASE = "kubernetes:helm.sh/v3:Release"


def credentials():
    return {"ngrok-api-key": pulumi.Output.secret(SENTINEL), "ngrok-authtoken": pulumi.Output.secret(SENTINEL)}


def installed(spec=None, **options):
    return record(
        lambda: NgrokOperator(
            "edge", spec or NgrokOperatorSpec(), secrets=credentials(), opts=pulumi.ResourceOptions(**options)
        )
    )


def names(recording, urns):
    return {resource.name for resource in recording.resources if resource.urn in urns}


def test_all_objects_are_children_of_the_component():
    recording = installed()
    component = recording.one("apiops:index:NgrokOperator", "edge")

    assert {resource.name: resource.type for resource in recording.children(component)} == {
        "edge-gateway-api": "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition",
        "edge-namespace-ngrok-operator": "kubernetes:core/v1:Namespace",
        "edge-crds": RELEASE,
        "edge-secret-ngrok-credentials": "kubernetes:core/v1:Secret",
        "edge-networkpolicy-ngrok-operator": "kubernetes:networking.k8s.io/v1:NetworkPolicy",
        "edge-poddisruptionbudget-ngrok-operator-agent": "kubernetes:policy/v1:PodDisruptionBudget",
        "edge-operator": RELEASE,
        "edge-gatewayclass-ngrok": "kubernetes:gateway.networking.k8s.io/v1:GatewayClass",
    }
    assert len(recording.resources) == 9


def test_the_order_of_install_and_so_the_reverse_of_teardown():
    recording = installed()

    def before(name):
        return names(recording, recording.one(name=name).dependencies)

    assert before("edge-gateway-api") == set()
    assert before("edge-namespace-ngrok-operator") == {"edge-gateway-api"}
    assert before("edge-crds") == {"edge-namespace-ngrok-operator"}
    assert before("edge-secret-ngrok-credentials") == {"edge-namespace-ngrok-operator"}
    assert before("edge-operator") == {
        "edge-namespace-ngrok-operator",
        "edge-crds",
        "edge-secret-ngrok-credentials",
        "edge-networkpolicy-ngrok-operator",
        "edge-poddisruptionbudget-ngrok-operator-agent",
    }
    assert before("edge-gatewayclass-ngrok") == {"edge-operator"}


def test_without_the_gateway_api_nothing_is_installed():
    definition = installed().one(name="edge-gateway-api")

    # Read, not made: the engine fails where it is not there, and the namespace, first of all, comes after it.
    assert (definition.read, definition.id) == (True, "referencegrants.gateway.networking.k8s.io")


def test_releases_are_exact_wait_and_never_uninstall_themselves():
    recording = installed()
    common = {
        "atomic": False,
        "compat": "true",
        "maxHistory": 10,
        "namespace": "ngrok-operator",
        "repositoryOpts": {"repo": "https://charts.ngrok.com"},
        "skipAwait": False,
        "timeout": 600,
    }

    assert recording.one(RELEASE, "edge-operator").inputs == common | {
        "description": ANY,
        "chart": "ngrok-operator",
        "name": "ngrok-operator",
        "version": versions.NGROK_OPERATOR_CHART,
        "values": operator_values(NgrokOperatorSpec()),
    }
    assert recording.one(RELEASE, "edge-crds").inputs == common | {
        "description": ANY,
        "chart": "ngrok-crds",
        "name": "ngrok-crds",
        "version": versions.NGROK_CRDS_CHART,
        "values": {},
    }


@pytest.mark.parametrize("keep", [True, False])
def test_definitions_stay_when_the_stack_goes_unless_told_otherwise(keep):
    recording = installed({"keep_crds": keep})

    assert recording.one(name="edge-crds").retain_on_delete is keep
    assert not any(item.retain_on_delete for item in recording.resources if item.name != "edge-crds")


def test_credentials_are_secret_and_nowhere_but_in_the_secret():
    recording = installed()
    secret = recording.one("kubernetes:core/v1:Secret")

    assert secret.inputs["stringData"]["API_KEY"] is SECRET
    assert secret.inputs["stringData"]["AUTHTOKEN"] is SECRET
    assert SENTINEL not in repr(recording)
    others = [item for item in recording.resources if item is not secret]
    assert "<secret" not in repr([(item.inputs, item.outputs) for item in others])


def test_credentials_are_secret_even_where_the_caller_forgot():
    plain = {"ngrok-api-key": SENTINEL, "ngrok-authtoken": SENTINEL}
    recording = record(lambda: NgrokOperator("edge", {}, secrets=plain))

    assert SENTINEL not in repr(recording)


def test_a_missing_secret_is_named():
    with pytest.raises(InvalidInput, match="no value was given for the secret 'ngrok-authtoken'"):
        record(lambda: NgrokOperator("edge", {}, secrets={"ngrok-api-key": "x"}))


def test_outputs():
    component = installed({"namespace": "edge"}).one("apiops:index:NgrokOperator")

    assert component.outputs == {"namespace": "edge", "gateway_class": "ngrok"}


def test_all_children_use_the_provider_of_the_component():
    def program():
        provider = kubernetes.Provider("prod", kubeconfig="{}")
        opts = pulumi.ResourceOptions(provider=provider)
        NgrokOperator("edge", {}, secrets=credentials(), opts=opts)

    recording = record(program)
    provider = recording.one("pulumi:providers:kubernetes")
    children = recording.children(recording.one("apiops:index:NgrokOperator"))

    assert {child.provider.rpartition("::")[0] for child in children} == {provider.urn}


def test_a_second_operator_on_the_same_cluster_is_refused_with_the_reason():
    def program():
        NgrokOperator("edge", {}, secrets=credentials())
        NgrokOperator("other", {"namespace": "other"}, secrets=credentials())

    with pytest.raises(InvalidInput, match="NgrokOperator other: a cluster holds one NgrokOperator"):
        record(program)


def test_two_clusters_in_one_stack_each_have_one():
    def program():
        for name in ("east", "west"):
            provider = kubernetes.Provider(name, kubeconfig="{}")
            NgrokOperator(f"{name}-edge", {}, secrets=credentials(), opts=pulumi.ResourceOptions(provider=provider))

    assert len(record(program).of_type("kubernetes:gateway.networking.k8s.io/v1:GatewayClass")) == 2


def test_two_programs_in_one_process_do_not_know_of_each_other():
    assert len(installed().resources) == len(installed({"namespace": "b"}).resources)


def test_a_broken_spec_is_told_with_the_component_and_all_its_problems():
    with pytest.raises(InvalidInput) as caught:
        installed({"replicas": 0, "regions": "eu"})

    assert {(problem.document, problem.path) for problem in caught.value.problems} == {
        ("NgrokOperator edge", "replicas"),
        ("NgrokOperator edge", "regions"),
    }


@pytest.mark.parametrize(("main", "expected"), [("stacks", "../charts/ngrok-operator"), (".", "charts/ngrok-operator")])
def test_a_chart_of_the_project_is_found_from_the_folder_of_the_program(tmp_path, monkeypatch, main, expected):
    (tmp_path / "Pulumi.yaml").write_text(f"name: test\nruntime: python\nmain: {main}\n")
    monkeypatch.chdir(tmp_path)
    chart(tmp_path / "charts/ngrok-operator")
    crds = packed(chart(tmp_path / "ngrok-crds"))
    recording = installed({"chart": {"path": "charts/ngrok-operator"}, "crds": {"path": str(crds)}})

    assert recording.one(name="edge-operator").inputs["chart"] == expected
    assert "repositoryOpts" not in recording.one(name="edge-operator").inputs
    assert recording.one(name="edge-crds").inputs["chart"] == str(crds)


def chart(folder, name=None, **more):
    folder.mkdir(parents=True)
    (folder / "Chart.yaml").write_text(dump({"apiVersion": "v2", "name": name or folder.name, **more}))
    return folder


def packed(folder):
    file = folder.with_name(f"{folder.name}-1.2.3.tgz")
    with tarfile.open(file, "w:gz") as archive:
        archive.add(folder, folder.name)
    return file


def refused(spec):
    with pytest.raises(InvalidInput) as caught:
        installed(spec)
    return {problem.path: (problem.code, problem.message) for problem in caught.value.problems}


def test_what_is_no_chart_is_refused_before_anything_is_registered(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.tgz").write_text("no archive")
    for path, why in (("nowhere", "there is nothing"), ("empty", "a folder without Chart.yaml")):
        message = f"{str(tmp_path / path)!r} is no chart: {why}"
        assert refused({"chart": {"path": str(tmp_path / path)}}) == {"chart.path": ("helm/no-chart", message)}
    assert refused(
        {"chart": {"path": str(tmp_path / "text.tgz")}, "crds": {"path": str(tmp_path / "empty")}}
    ).keys() == {"chart.path", "crds.path"}


def test_another_chart_is_refused_unless_its_name_says_so(tmp_path):
    path = str(packed(chart(tmp_path / "argo-cd")))
    message = f"{path!r} is the chart 'argo-cd', not 'ngrok-operator'"

    assert refused({"chart": {"path": path}}) == {"chart.path": ("helm/other-chart", message)}
    fork = str(chart(tmp_path / "fork", "our-operator"))
    assert (
        installed({"chart": {"path": fork, "name": "our-operator"}}).one(name="edge-operator").inputs["chart"] == fork
    )


def test_a_chart_without_what_it_depends_on_is_refused_as_helm_would(tmp_path):
    folder = chart(tmp_path / "ngrok-operator", dependencies=[{"name": "common"}, {"name": "ngrok-crds"}])
    chart(folder / "charts/common")
    message = "the chart lacks what it depends on: ngrok-crds"

    assert refused({"chart": {"path": str(folder)}}) == {"chart.path": ("helm/dependency", message)}
    (folder / "charts/ngrok-crds-0.4.0.tgz").write_text("")
    assert installed({"chart": {"path": str(folder)}}).one(name="edge-operator").inputs["chart"] == str(folder)


def test_a_chart_in_a_registry_is_named_by_its_whole_address():
    spec = {"chart": {"repository": "oci://registry.example.com/charts/", "version": "9.9.9"}}
    release = installed(spec).one(name="edge-operator")

    assert release.inputs["chart"] == "oci://registry.example.com/charts/ngrok-operator"
    assert release.inputs["version"] == "9.9.9"
    assert "repositoryOpts" not in release.inputs
