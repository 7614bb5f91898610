"""Every version that this package installs or speaks, in one place.

No other file names one. Changing a line here is an upgrade: the manifests of the examples change with it, and the
tests that compare them show how.
"""

KUBERNETES = "1.36"
"""Kubernetes minor version that manifests are written for."""

MINIKUBE_KUBERNETES = "1.35.1"
"""Kubernetes of minikube's clusters: the newest that minikube v1.38.1 runs. Of 1.36 it knows nothing but an alpha."""

GATEWAY_API = "1.5.1"
"""Gateway API release whose definitions are installed where the cluster does not bring its own."""

ARGOCD_CHART = "10.1.1"
"""Helm chart ``argo-cd``."""

NGROK_OPERATOR_CHART = "0.24.0"
"""Helm chart ``ngrok-operator``."""

NGROK_CRDS_CHART = "0.4.0"
"""Helm chart ``ngrok-crds``: ngrok's definitions, installed apart from the operator so that they outlive it."""

KUBECTL_IMAGE = "1.36.0"
"""Tag of the image with a shell and kubectl that drains ngrok before its operator is uninstalled."""

SANDBOX_ETCD = "3.6.8"
"""etcd of the sandbox."""

SANDBOX_KUBERNETES = "1.36.3"
"""API server, controller manager and scheduler of the sandbox."""

SANDBOX_KWOK = "0.8.0"
"""kwok of the sandbox: nodes and pods that become ready without containers."""

SANDBOX_ARGOCD = "3.5.7"
"""Argo CD of the sandbox, and its definitions."""

SANDBOX_MINIREDIS = "2.40.0"
"""What stands in for redis in the sandbox where there is no ``redis-server``."""

GITHUB_ACTIONS = {
    "actions/checkout": ("11bd71901bbe5b1630ceea73d27597364c9af683", "v4.2.2"),
    "actions/download-artifact": ("d3f86a106a0bac45b974a628896c90dbdf5c8093", "v4.3.0"),
    "actions/upload-artifact": ("ea165f8d65b6e75b540449e92b4886f43607fa02", "v4.6.2"),
    "google-github-actions/auth": ("ba79af03959ebeac9769e648f473a284504d9193", "v2.1.10"),
}
"""Commit and release of each action that pipelines on GitHub use: a tag can be moved, a commit cannot."""

JENKINS_PIPELINE_UNIT = "1.1"
"""``com.lesfurets:jenkins-pipeline-unit``, in which tests run the pipeline for Jenkins; the last on Maven Central."""

GROOVY = "2.4.21"
"""``groovy-all`` for it; the release that it names does not run on today's Java."""
