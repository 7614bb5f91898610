"""Checks documents that anyone wrote: Kubernetes manifests and bare traffic policies.

Kinds with a model (Gateway API, ngrok, Argo CD) are checked by it; Kubernetes' own kinds by the schema of the version
in `versions.KUBERNETES` and the rules of its server that catch most; kinds of definitions that the user names
(``--crd``) by these. Any other kind is *skipped*, counted and named: never silently passed.

Documents of one run are checked against each other, too: `together`, with `references`, `attachment`, `conflicts` and
`ngrok_gateways`; `objects_by_name` says when what is not there is missing.

`result` (what is found), `objects` (what a document is), `metadata`, `kinds` and `modelled` (kinds with a model),
`builtin` with `pods`, `workloads`, `services`, `others` (Kubernetes' own), `structure` (JSON Schema with good
messages), `definitions` and `definition_rules` (CustomResourceDefinitions and their CEL).
"""

from __future__ import annotations

from apiops_components.validation.objects import validate
from apiops_components.validation.result import Result, Status

__all__ = ["Result", "Status", "validate"]
