"""What a cluster at Google needs of its project: services, accounts, the key of its Secrets, the policy of images."""

import pulumi
from pulumi_gcp import artifactregistry, binaryauthorization, kms, projects, serviceaccount

from apiops_components.components._base import Component
from apiops_components.models.cluster import GkeAutopilotSpec, GkeSpec

_SERVICES = (
    "artifactregistry",
    "binaryauthorization",
    "cloudkms",
    "cloudresourcemanager",
    "compute",
    "container",
    "containersecurity",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "serviceusage",
)
_ROTATION = "7776000s"  # 90 days, CKV_GCP_43


def services(component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec) -> list[pulumi.Resource]:
    """Switches on the services (APIs) that the cluster uses."""
    return [
        projects.Service(
            f"{name}-service-{service}",
            project=spec.project,
            service=f"{service}.googleapis.com",
            # The project and other clusters in it may go on using them.
            disable_on_destroy=False,
            disable_dependent_services=False,
            opts=component.child(),
        )
        for service in _SERVICES
    ]


def node_account(
    component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec, after: list[pulumi.Resource]
) -> tuple[serviceaccount.Account, list[pulumi.Resource]]:
    """The service account of the nodes with the least that they need, and its grants (CIS-1.6:5.2.1, CKV_GCP_49)."""
    account = serviceaccount.Account(
        f"{name}-nodes-account",
        project=spec.project,
        account_id=spec.node_account_id,
        display_name=f"Nodes of GKE cluster {spec.name}",
        opts=component.child(depends_on=after),
    )
    grants: list[pulumi.Resource] = [
        projects.IAMMember(
            f"{name}-nodes-role",
            project=spec.project,
            role="roles/container.defaultNodeServiceAccount",
            member=account.member,
            opts=component.child(),
        )
    ]
    for repository in spec.image_repositories:
        _, project, _, location, _, folder = repository.split("/")
        grants.append(
            artifactregistry.RepositoryIamMember(
                f"{name}-images-{project}.{location}.{folder}",
                project=project,
                location=location,
                repository=folder,
                role="roles/artifactregistry.reader",
                member=account.member,
                opts=component.child(depends_on=after),
            )
        )
    return account, grants


def secrets_key(
    component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec, after: list[pulumi.Resource]
) -> tuple[pulumi.Input[str], list[pulumi.Resource]]:
    """The key that encrypts Kubernetes Secrets, and what must be there before it works (CIS-1.6:5.3.1)."""
    if spec.secrets_key is not None:
        return spec.secrets_key, []
    # Google never deletes a key ring, and without the key no backup of the cluster can be read. So both outlive the
    # stack, and have no fixed name, which a second stack would find taken. A person destroys the key's versions when
    # nothing needs them any more: gcloud kms keys versions destroy.
    kept = {"protect": spec.protected, "retain_on_delete": True}
    ring = kms.KeyRing(
        f"{name}-keys",
        project=spec.project,
        location=spec.region,
        opts=component.child(depends_on=after, **kept),
    )
    key = kms.CryptoKey(
        f"{name}-secrets-key",
        key_ring=ring.id,
        purpose="ENCRYPT_DECRYPT",
        rotation_period=_ROTATION,
        labels=labels(spec),
        opts=component.child(**kept),
    )
    agent = projects.ServiceIdentity(
        f"{name}-gke-agent",
        project=spec.project,
        service="container.googleapis.com",
        opts=component.child(depends_on=after),
    )
    grant = kms.CryptoKeyIAMMember(
        f"{name}-secrets-key-use",
        crypto_key_id=key.id,
        role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        member=agent.member,
        opts=component.child(),
    )
    return key.id, [grant]


def image_policy(
    component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec, after: list[pulumi.Resource]
) -> list[pulumi.Resource]:
    """Which images may run, in all clusters of the project (CIS-1.6:5.10.4); nothing where that is said elsewhere."""
    if (policy := spec.image_policy) is None:
        return []
    return [
        binaryauthorization.Policy(
            f"{name}-image-policy",
            project=spec.project,
            global_policy_evaluation_mode="ENABLE",  # what Google puts into clusters is no business of ours
            admission_whitelist_patterns=[
                binaryauthorization.PolicyAdmissionWhitelistPatternArgs(name_pattern=images)
                for images in policy.allowed
            ],
            default_admission_rule=binaryauthorization.PolicyDefaultAdmissionRuleArgs(
                evaluation_mode="REQUIRE_ATTESTATION" if policy.attestors else "ALWAYS_DENY",
                enforcement_mode="DRYRUN_AUDIT_LOG_ONLY" if policy.dry_run else "ENFORCED_BLOCK_AND_AUDIT_LOG",
                require_attestations_bies=list(policy.attestors) or None,
            ),
            # Deleted, it would let every image into the project's other clusters.
            opts=component.child(depends_on=after, retain_on_delete=True),
        )
    ]


def workload_identities(
    component: Component, name: str, spec: GkeSpec | GkeAutopilotSpec, cluster: pulumi.Resource
) -> None:
    """Lets pods act as service accounts of Google Cloud (CIS-1.6:5.2.2)."""
    for identity in spec.workload_identities:
        address = identity.google_account
        serviceaccount.IAMMember(
            f"{name}-identity-{identity.namespace}.{identity.service_account}.{address}",
            service_account_id=f"projects/{address.partition('@')[2].partition('.')[0]}/serviceAccounts/{address}",
            role="roles/iam.workloadIdentityUser",
            member=f"serviceAccount:{spec.project}.svc.id.goog[{identity.namespace}/{identity.service_account}]",
            # The project's first cluster makes the pool of identities that the member is of.
            opts=component.child(depends_on=[cluster]),
        )


def labels(spec: GkeSpec | GkeAutopilotSpec) -> dict[str, str]:
    """Labels of everything that is billed (CKV_GCP_21)."""
    return {**spec.labels, "managed-by": "pulumi"}
