"""The example platform's real programs, run in process, against what `render` says of the same project."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

import pytest

from apiops_components.components.program import preview_programs, record_program
from apiops_components.delivery.recording import SECRET
from apiops_components.errors import ApiOpsError, GuardrailError
from apiops_components.models.secret import SecretSlot
from apiops_components.project import Project
from apiops_components.render.description import render_all

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ("dev", "sandbox", "staging", "prod")
DIRECT = ("dev", "sandbox")


@cache
def programs(env):
    platform, team = preview_programs(Project.load(ROOT), env)
    assert (platform.team, team.team) == (None, "shop")
    return platform.recording, team.recording


@cache
def manifests(env):
    return render_all(Project.load(ROOT).descriptions(env))


def plain(value):
    """A manifest as it is on the wire: the place of a secret is a secret there."""
    if isinstance(value, SecretSlot):
        return SECRET
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def objects(recording):
    """Kubernetes objects that a program registers itself, by kind and name; what Helm installs is not among them."""
    return {
        (r.inputs["kind"], r.inputs["metadata"].get("namespace"), r.inputs["metadata"]["name"]): dict(r.inputs)
        for r in recording.resources
        if r.package == "kubernetes" and "kind" in r.inputs and "metadata" in r.inputs
    }


def expected(env, *, team):
    """What `render` gives Pulumi to apply: the platform's, or the team's hosts and APIs."""
    own = {"ApiGateway", "Api"} if team else {"NgrokOperator", "ArgoCD", "Team", "GitOps"}
    found = [m for m in manifests(env) if m.owner == "pulumi" and m.component.partition(" ")[0] in own]
    return {(m.kind, m.namespace, m.name): plain(m.object) for m in found}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_manifest_has_a_component_that_registers_it(env):
    components = {m.component.partition(" ")[0] for m in manifests(env)}
    assert components <= {"NgrokOperator", "ArgoCD", "Team", "GitOps", "ApiGateway", "Api"}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_platform_registers_what_is_rendered_for_it(env):
    recording, _ = programs(env)
    assert objects(recording) == expected(env, team=False)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_team_registers_what_is_rendered_for_it(env):
    _, recording = programs(env)

    assert objects(recording) == expected(env, team=True)
    assert bool(objects(recording)) == (env in DIRECT)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_what_argo_cd_delivers_is_registered_by_nobody(env):
    delivered = {(m.kind, m.namespace, m.name) for m in manifests(env) if m.owner == "gitops"}
    registered = set().union(*(objects(recording) for recording in programs(env)))

    assert bool(delivered) == (env not in DIRECT)
    assert not delivered & registered


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_every_resource_has_its_parent(env):
    for recording in programs(env):
        known = {r.urn: r for r in recording.resources} | {recording.stack_urn: None}
        for resource in recording.resources:
            assert resource.parent in known
            if resource.package == "kubernetes":
                assert known[resource.parent].package == "apiops", resource.name
        top = {r.type for r in recording.resources if r.parent == recording.stack_urn}
        assert {t for t in top if not t.startswith("apiops:")} <= {"pulumi:pulumi:StackReference"}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_no_object_goes_to_a_default_provider(env):
    for recording in programs(env):
        providers = {r.urn for r in recording.resources if r.type == "pulumi:providers:kubernetes"}
        for resource in recording.resources:
            if resource.package == "kubernetes":
                assert resource.provider.rpartition("::")[0] in providers, resource.name


@pytest.mark.parametrize("env", DIRECT)
def test_routes_come_after_policies_gateway_and_workload(env):
    _, recording = programs(env)
    urns = {
        (r.inputs["kind"], r.inputs["metadata"]["name"]): r for r in recording.resources if r.package == "kubernetes"
    }
    gateway, policy = urns["Gateway", "shop"], urns["NgrokTrafficPolicy", "shop-gateway"]

    assert policy.urn in gateway.dependencies
    for name, before in {
        "orders": [("NgrokTrafficPolicy", "orders"), ("Deployment", "orders"), ("Service", "orders")],
        "guestbook": [("ReplicaSet", "frontend"), ("Service", "frontend")],
    }.items():
        needed = {gateway.urn, policy.urn, *(urns[key].urn for key in before)}
        assert needed <= set(urns["HTTPRoute", name].dependencies)


@pytest.mark.parametrize("env", ["staging", "prod"])
def test_argo_cd_gets_its_objects_after_its_installation_and_the_teams_namespace(env):
    """Their component waits for both; children are registered after their component, and go before it."""
    recording, _ = programs(env)
    argocd, component = recording.one("apiops:index:ArgoCD"), recording.one("apiops:index:GitOps")
    (release,) = (r for r in recording.children(argocd) if r.type.endswith(":Release"))
    namespace = recording.one("kubernetes:core/v1:Namespace", "shop-namespace-shop")

    assert {release.urn, namespace.urn} <= set(component.dependencies)
    assert {r.inputs["kind"] for r in recording.children(component)} == {"AppProject", "Application"}


@pytest.mark.parametrize("env", ["dev", "staging", "prod"])
def test_what_the_operator_serves_comes_after_it_and_so_goes_before_it(env):
    """It alone lets go of Gateways, and of what it put into the teams' namespaces."""
    recording, _ = programs(env)
    release = recording.one("kubernetes:helm.sh/v3:Release", "ngrok-operator")
    gateway_class = recording.one(name="ngrok-gatewayclass-ngrok")
    served = [item for item in recording.resources if item.type in ("apiops:index:Team", "apiops:index:ApiGateway")]

    assert served
    assert all({release.urn, gateway_class.urn} <= set(item.dependencies) for item in served)
    for component in recording.of_type("apiops:index:GitOps"):
        teams = {recording.one("kubernetes:core/v1:Namespace", "shop-namespace-shop").urn}
        assert teams <= set(component.dependencies)


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_the_platform_exports_what_teams_read(env):
    platform, team = programs(env)

    assert set(platform.outputs) == {"environment", "kubeconfig", "cluster_name", "namespaces"}
    assert platform.outputs["environment"] == env
    assert platform.outputs["kubeconfig"] is SECRET
    host = Project.load(ROOT).settings(env).environment.teams["shop"].host
    assert team.outputs == {"shop": f"https://{host}", "owner": "shop@example.com"}


@pytest.mark.parametrize("env", ENVIRONMENTS)
def test_two_runs_register_the_same(env):
    again = tuple(p.recording for p in preview_programs(Project.load(ROOT), env))
    assert again == programs(env)


# --- refused ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "stacks", tmp_path / "stacks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    return tmp_path


def change(file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_a_teams_program_that_breaks_a_guardrail_is_refused_with_its_line(copy):
    change(
        copy / "stacks/teams/shop/describe.py",
        'JwtValidation.bearer(issuer=issuer, jwks=f"{issuer}/.well-known/jwks.json"),',
        "Deny(status_code=401),",
    )
    change(
        copy / "stacks/teams/shop/describe.py",
        'name="token",',
        'name="token", expressions=("!(\'authorization\' in req.headers)",),',
    )
    shop = Project.load(copy).teams["shop"]
    with pytest.raises(GuardrailError) as raised:
        record_program(shop, "dev", references=lambda _name: {"kubeconfig": SECRET})

    assert [p.code for p in raised.value.problems] == ["guardrail/authentication-required"]
    assert raised.value.problems[0].file.endswith("stacks/teams/shop/__main__.py")

    _, previewed = preview_programs(Project.load(copy), "dev")
    broken = [finding for finding in previewed.findings if not finding.waived]
    assert [(f.guardrail, f.subject) for f in broken] == [("authentication-required", "Api shop/orders")]


def test_a_team_with_a_module_of_the_platforms_name_keeps_the_platforms_guardrails(copy):
    """`import guardrails` in the team's program must not stand in for the platform's own module."""
    shop = copy / "stacks/teams/shop"
    (shop / "guardrails.py").write_text("GUARDRAILS = ()\n", encoding="utf-8")
    change(shop / "__main__.py", "from describe import TEAM\n", "import guardrails as own\nfrom describe import TEAM\n")
    change(
        shop / "__main__.py",
        "    for host in shop.gateways:\n",
        "    assert own.GUARDRAILS == ()\n    assert guardrails.rules\n    for host in shop.gateways:\n",
    )

    preview_programs(Project.load(copy), "dev")


def test_an_unsafe_route_is_refused_with_the_file(copy):
    change(copy / "stacks/teams/shop/describe.py", '"/orders"', '"/it\'s"')
    with pytest.raises(ApiOpsError) as raised:
        preview_programs(Project.load(copy), "dev")

    assert raised.value.exit_code == 1
    assert "lowering/unsafe-value" in str(raised.value)


def test_a_second_host_beside_the_first_registers_without_a_clash(copy):
    team = copy / "stacks/teams/shop/describe.py"
    change(
        team,
        "    return Description(environment=environment, team=TEAM, gateways=(gateway,))",
        "    other = gateway.model_copy(update={'name': 'docs', 'host': 'docs.example.com', 'apis': (\n"
        "        gateway.apis[1].model_copy(update={'name': 'docs', 'workload': None}),)})\n"
        "    return Description(environment=environment, team=TEAM, gateways=(gateway, other))",
    )
    project = Project.load(copy)
    recording = preview_programs(project, "dev")[1].recording
    wanted = [m for m in render_all(project.descriptions("dev")) if m.component.startswith("Api")]

    assert {m.path for m in wanted if m.kind == "Gateway"} == {"shop/gateway-shop.yaml", "shop/gateway-docs.yaml"}
    assert objects(recording) == {(m.kind, m.namespace, m.name): plain(m.object) for m in wanted}
