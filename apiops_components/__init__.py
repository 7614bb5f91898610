"""APIs run as code."""
