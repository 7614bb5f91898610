"""Every version that this package installs or speaks, in one place.

No other file names one. Changing a line here is an upgrade: the manifests of the examples change with it, and the
tests that compare them show how.
"""

KUBERNETES = "1.36"
"""Kubernetes minor version that manifests are written for."""

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
