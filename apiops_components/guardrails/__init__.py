"""Guardrails: `rules` (one function a kind), `check` (all of them over what a project holds)."""
