"""The platform of one environment: `pulumi up -s <env>`."""

from pathlib import Path

import pulumi

from apiops_components import (
    Api,
    ApiGateway,
    ArgoCD,
    GitLabToken,
    GitOps,
    GitOpsSet,
    Guardrails,
    NgrokOperator,
    Project,
    Team,
    cluster_of,
    gitops_set,
    gitops_specs,
    ingress_namespace,
    load_environment,
    load_secrets,
    readable_errors,
)

with readable_errors():
    environment = load_environment()
    secrets = load_secrets(environment)
    platform = Project.find(Path(__file__).parent).describe(environment)
    guardrails = Guardrails(environment.name, platform.guardrails)

    cluster = cluster_of("cluster", environment.cluster, secrets=secrets)
    on_cluster = pulumi.ResourceOptions(provider=cluster.provider, depends_on=[cluster])

    ngrok = environment.ngrok and NgrokOperator("ngrok", environment.ngrok, secrets=secrets, opts=on_cluster)
    # Argo CD has no effect outside the cluster and may go with it; what ngrok holds outside must be taken down first.
    gone_with_it = pulumi.ResourceOptions.merge(on_cluster, pulumi.ResourceOptions(deleted_with=cluster.deleted_with))
    argocd = environment.argocd and ArgoCD("argocd", environment.argocd, secrets=secrets, opts=gone_with_it)
    # The operator takes down what it published: Gateways, and namespaces with what it put there, go before it does.
    published = pulumi.ResourceOptions(provider=cluster.provider, depends_on=[cluster, *filter(None, [ngrok])])
    teams = {name: Team(name, environment, opts=published) for name in environment.teams}

    projects = []
    for name, spec in gitops_specs(environment).items():
        after = pulumi.ResourceOptions(provider=cluster.provider, depends_on=[argocd, teams[name]])
        projects.append(GitOps(name, spec, opts=after))
    if (followers := gitops_set(environment)) is not None:
        after = pulumi.ResourceOptions(provider=cluster.provider, depends_on=[argocd, *projects])
        GitOpsSet("teams", followers, opts=after)

    for name, spec in environment.gitlab_tokens.items():
        after = pulumi.ResourceOptions(provider=cluster.provider, depends_on=[cluster, *filter(None, [argocd])])
        GitLabToken(name, spec, secrets=secrets, opts=after)

    for host in platform.gateways:
        gateway = ApiGateway(host.name, host, guardrails=guardrails, opts=published)
        for api in host.apis:
            Api(api.name, api, gateway=gateway, ingress_namespace=ingress_namespace(environment), opts=published)

    pulumi.export("environment", environment.name)
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("cluster_name", cluster.cluster_name)
    pulumi.export("namespaces", {name: environment.namespace(name) for name in teams})
