"""The shop's hosts and APIs in one environment: `pulumi up -s <env>`, after the platform's."""

from pathlib import Path

import pulumi
from describe import TEAM

from apiops_components import (
    Api,
    ApiGateway,
    ExistingCluster,
    Guardrails,
    Project,
    ingress_namespace,
    load_environment,
    readable_errors,
    stack_output,
)

with readable_errors():
    environment = load_environment()
    project = Project.find(Path(__file__).parent)
    shop = project.describe(environment)
    guardrails = Guardrails(environment.name, project.guardrails(environment))

    kubeconfig = stack_output(f"organization/{project.platform.name}/{environment.name}", "kubeconfig")
    cluster = ExistingCluster("platform", {"kubeconfig_secret": "kubeconfig"}, kubeconfig=kubeconfig)
    on_cluster = pulumi.ResourceOptions(provider=cluster.provider)

    for host in shop.gateways:
        gateway = ApiGateway(host.name, host, guardrails=guardrails, delivery=shop.delivery, opts=on_cluster)
        for api in host.apis:
            Api(api.name, api, gateway=gateway, ingress_namespace=ingress_namespace(environment), opts=on_cluster)
        pulumi.export(host.name, gateway.url)
    pulumi.export("owner", environment.team(TEAM).owner)
