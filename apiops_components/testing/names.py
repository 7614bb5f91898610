"""Hypothesis strategies of names: of objects, hosts and headers."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["dns_labels", "header_names", "headers", "hosts", "values"]


def dns_labels() -> st.SearchStrategy[str]:
    """Names of Kubernetes objects, at most 20 characters."""
    return st.from_regex(r"[a-z]([-a-z0-9]{0,18}[a-z0-9])?", fullmatch=True)


def hosts() -> st.SearchStrategy[str]:
    """Exact host names below ``example.com``."""
    return dns_labels().map(lambda label: f"{label}.example.com")


def header_names() -> st.SearchStrategy[str]:
    """Names of HTTP headers that a policy may set, some in mixed case."""
    return st.from_regex(r"[xX]-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", fullmatch=True)


def values() -> st.SearchStrategy[str]:
    """Values of headers and parameters: 1 to 12 characters that can be printed."""
    return st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12).filter(
        lambda text: "${" not in text  # the start of an expression
    )


def headers(least: int = 0, most: int = 3) -> st.SearchStrategy[dict[str, str]]:
    """Headers, each once in any case."""
    pairs = st.lists(
        st.tuples(header_names(), values()), min_size=least, max_size=most, unique_by=lambda pair: pair[0].lower()
    )
    return pairs.map(dict)
