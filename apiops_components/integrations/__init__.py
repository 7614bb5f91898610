"""Clients of services outside: HTTP with bounds, and what is built on it."""
