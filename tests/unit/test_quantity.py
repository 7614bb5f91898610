from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from apiops_components.models.quantity import ByteSize, Cpu, quantity_value

CPU = TypeAdapter(Cpu)
BYTES = TypeAdapter(ByteSize)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("250m", Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        ("5.", 5),
        (".5", Fraction(1, 2)),
        ("1Ki", 1024),
        ("1.5Gi", 3 * 2**29),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("2e-3", Fraction(1, 500)),
        ("3n", Fraction(3, 10**9)),
    ],
)
def test_a_quantity_has_its_exact_value(text, value):
    assert quantity_value(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1 Mi", "1mi", "1K", "Mi", "1.2.3", "1e", "0x10", "1e99", "10E", "1\n"]
)
def test_what_is_no_quantity_has_no_value(text):
    with pytest.raises(ValueError, match=r"\A"):
        quantity_value(text)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("0.25", "250m"), ("1000m", "1"), (2, "2"), (0.5, "500m"), ("1.5", "1500m"), ("2000", "2k"), ("1e0", "1")],
)
def test_cpu_is_kept_as_the_api_server_gives_it_back(written, kept):
    assert CPU.validate_python(written) == kept


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("1e9", "1G"),
        ("1048576", "1048576"),
        ("5000k", "5M"),
    ],
)
def test_bytes_are_kept_as_the_api_server_gives_them_back(written, kept):
    assert BYTES.validate_python(written) == kept


@pytest.mark.parametrize("written", ["0", "0.5m", "100u", "-1", "two", True, None])
def test_cpu_that_kubernetes_cannot_give_is_refused(written):
    with pytest.raises(ValidationError):
        CPU.validate_python(written)


@pytest.mark.parametrize("written", ["128m", "1023Ki", "128", "1048576.5", "9Ei", "lots", True])
def test_bytes_that_are_a_slip_of_the_unit_are_refused(written):
    with pytest.raises(ValidationError):
        BYTES.validate_python(written)


@given(st.integers(2**20, 2**62), st.sampled_from(["", "k", "M", "Ki", "Mi", "Gi"]))
def test_the_kept_form_has_the_same_value_and_stays(number, suffix):
    text = f"{number}{suffix}"
    if quantity_value_or_none(text) is None:
        return
    kept = BYTES.validate_python(text)
    assert quantity_value(kept) == quantity_value(text)
    assert BYTES.validate_python(kept) == kept


def quantity_value_or_none(text: str) -> Fraction | None:
    try:
        return quantity_value(text)
    except ValueError:
        return None
