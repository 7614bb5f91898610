"""Pulumi components: the only package that registers resources. Import them from `apiops_components`."""
