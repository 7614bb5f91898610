"""Typed intent: plain data, frozen, checked before any resource exists. Nothing here imports pulumi."""
