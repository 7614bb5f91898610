"""Pipelines that deliver: one typed description, written out for each forge."""
