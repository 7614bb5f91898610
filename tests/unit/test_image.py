from __future__ import annotations

import pytest

from apiops_components.models.image import ImageReference, parse_image

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("ghcr.io/shop/orders:1.0", ("ghcr.io", "shop/orders", "1.0", None)),
        (f"ghcr.io/shop/orders@{DIGEST}", ("ghcr.io", "shop/orders", None, DIGEST)),
        (f"localhost:5000/orders:v1_2.3-x@{DIGEST}", ("localhost:5000", "orders", "v1_2.3-x", DIGEST)),
        ("localhost/a/b/c__d-e.f", ("localhost", "a/b/c__d-e.f", None, None)),
    ],
)
def test_a_reference_is_taken_apart(text, parts):
    assert parse_image(text) == ImageReference(*parts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nginx",
        "library/nginx:1.0",
        "ghcr.io/Shop/orders:1.0",
        "ghcr.io/shop/:1.0",
        "ghcr.io//orders:1.0",
        "ghcr.io/shop/orders:",
        "ghcr.io/shop/orders:.1",
        "ghcr.io/shop/orders:" + "a" * 129,
        "ghcr.io/shop/orders@sha256:abc",
        f"ghcr.io/shop/orders@{DIGEST.upper()}",
        "ghcr.io/shop/orders:1.0\n",
        "https://ghcr.io/shop/orders:1.0",
        "ghcr.io/" + "a" * 250,
    ],
)
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(ValueError, match=r"\A"):
        parse_image(text)
