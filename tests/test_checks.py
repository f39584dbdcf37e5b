"""Errors say what was expected and what came; good values pass in silence."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from rnnnotes import _checks

quick = settings(deadline=None, max_examples=50, derandomize=True)


@quick
@given(st.lists(st.integers(1, 4), max_size=4))
def test_a_tensor_has_its_own_shape_in_numbers_names_and_dots(shape):
    x = torch.zeros(shape)
    names = [f"N{k}" for k in range(len(shape))]
    _checks.check_tensor("x", x, shape)
    _checks.check_tensor("x", x, names)
    _checks.check_tensor("x", x, ["...", *shape[1:]])
    for wrong in (["M", *names], names[1:], [size + 1 for size in shape]):
        if wrong != names:
            with pytest.raises(ValueError, match="x: expected shape"):
                _checks.check_tensor("x", x, wrong)


@pytest.mark.parametrize(
    ("shape", "expected", "message"),
    [
        ((5, 3), ("B", "T", 3), "x: expected shape (B, T, 3), got (5, 3)"),
        ((2, 3), ("H", "H"), "x: expected shape (H, H), got (2, 3)"),
        ((3,), (), "x: expected shape (), got (3,)"),
        ((), ("B",), "x: expected shape (B,), got ()"),
        ((2, 0), ("B", "T"), "x: expected shape (B, T) without an empty size, got (2, 0)"),
        ((0, 2), ("...", 2), "x: expected shape (..., 2) without an empty size, got (0, 2)"),
        ((2,), ("...", "H", "H"), "x: expected shape (..., H, H), got (2,)"),
        ((2,), ("B", "T", "..."), "x: expected shape (B, T, ...), got (2,)"),
        (
            (2, 3, 0),
            ("B", "..."),
            "x: expected shape (B, ...) without an empty size, got (2, 3, 0)",
        ),
    ],
)
def test_messages_for_shapes(shape, expected, message):
    with pytest.raises(ValueError) as caught:
        _checks.check_tensor("x", torch.zeros(shape), expected)
    assert str(caught.value) == message


def test_types_of_tensors():
    floating, whole = torch.zeros(2), torch.zeros(2, dtype=torch.int32)
    _checks.check_tensor("x", floating, dtype="floating")
    _checks.check_tensor("x", floating, dtype=torch.float32)
    _checks.check_tensor("x", whole, dtype="integer")
    for x, dtype, message in [
        (floating, "integer", "x: expected an integer type, got dtype torch.float32"),
        (floating.bool(), "integer", "x: expected an integer type, got dtype torch.bool"),
        (whole, "floating", "x: expected a floating type, got dtype torch.int32"),
        (floating, torch.float64, "x: expected dtype torch.float64, got dtype torch.float32"),
        (np.zeros(2), None, "x: expected a torch.Tensor, got ndarray"),
    ]:
        with pytest.raises(TypeError) as caught:
            _checks.check_tensor("x", x, dtype=dtype)
        assert str(caught.value) == message


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_the_first_value_that_is_not_finite_is_named(wrong):
    x = torch.zeros(2, 3)
    _checks.check_tensor("x", x, finite=True)
    x[1, 2] = wrong
    with pytest.raises(ValueError) as caught:
        _checks.check_tensor("x", x, finite=True)
    assert str(caught.value) == f"x: expected finite values, got {wrong} at index (1, 2)"


@quick
@given(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-10, 10),
    st.sampled_from(["above", "at_least", "below", "at_most"]),
)
def test_bounds_let_through_exactly_what_they_say(value, bound, kind):
    holds = {
        "above": value > bound,
        "at_least": value >= bound,
        "below": value < bound,
        "at_most": value <= bound,
    }[kind]
    if math.isfinite(value) and holds:
        _checks.check_number("x", value, **{kind: bound})
    else:
        with pytest.raises(ValueError, match=f"x: expected a number {kind.replace('_', ' ')}"):
            _checks.check_number("x", value, **{kind: bound})


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _checks.check_number("x", "1"), TypeError, "a finite number, got '1'"),
        (lambda: _checks.check_number("x", True), TypeError, "a finite number, got True"),
        (lambda: _checks.check_positive("x", 0), ValueError, "a number above 0, got 0"),
        (lambda: _checks.check_non_negative("x", -1), ValueError, "a number at least 0, got -1"),
        (
            lambda: _checks.check_probability("x", 1.5),
            ValueError,
            "a number at least 0 and at most 1, got 1.5",
        ),
        (lambda: _checks.check_int("x", 0), ValueError, "a whole number of at least 1, got 0"),
        (
            lambda: _checks.check_int("x", 9, 0, 4),
            ValueError,
            "a whole number of at least 0 and at most 4, got 9",
        ),
        (lambda: _checks.check_int("x", 2.0), TypeError, "a whole number of at least 1, got 2.0"),
        (lambda: _checks.check_choice("x", "c", ("a", "b")), ValueError, "of 'a', 'b', got 'c'"),
    ],
)
def test_bad_values(call, error, message):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith("x: expected ")
    assert str(caught.value).endswith(message)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _checks.check_is("x", 1, str), "x: expected str, got int"),
        (lambda: _checks.check_is("x", 1, (str, list)), "x: expected str or list, got int"),
        (
            lambda: _checks.check_is("x", 1, (str, list, tuple)),
            "x: expected str, list or tuple, got int",
        ),
        (lambda: _checks.check_is("x", 1, str, "a text"), "x: expected a text, got int"),
        (lambda: _checks.check_module("x", nn.Tanh), "x: expected a torch.nn.Module, got type"),
        (lambda: _checks.check_callable("x", 3), "x: expected a function, got 3"),
        (
            lambda: _checks.check_generator("x", 7),
            "x: expected a torch.Generator, got int; "
            "make one with torch.Generator().manual_seed(seed)",
        ),
        (
            lambda: _checks.check_generator("x", None),
            "x: expected a torch.Generator, got NoneType; "
            "make one with torch.Generator().manual_seed(seed)",
        ),
    ],
)
def test_messages_for_kinds(call, message):
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value) == message


def test_what_has_no_hash_is_no_choice_either():
    with pytest.raises(ValueError, match=r"x: expected one of 'a', got \['a'\]"):
        _checks.check_choice("x", ["a"], {"a": 1})


def test_checking_numbers_does_without_torch():
    """The loom and the figures do."""
    code = (
        "import sys; from rnnnotes import _checks; import rnnnotes.training.ledger\n"
        "_checks.check_number('x', 1, above=0); _checks.check_choice('x', 1, (1, 2))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_good_values_pass():
    _checks.check_tensor("x", torch.zeros(2, 3, 4), ("B", "..."))
    _checks.check_tensor("x", torch.zeros(2, 3), ("B", 3, "..."))
    _checks.check_is("x", "a", (int, str))
    _checks.check_module("x", nn.Tanh())
    _checks.check_callable("x", len)
    _checks.check_generator("x", torch.Generator())
    _checks.check_generator("x", None, optional=True)
    _checks.check_number("x", np.float32(1.5), above=1, at_most=2)
    _checks.check_positive("x", 1e-300)
    _checks.check_non_negative("x", 0)
    _checks.check_probability("x", 1)
    _checks.check_int("x", np.int64(3), 0, 3)
    _checks.check_choice("x", "a", {"a": 1})
    _checks.check_lengths("x", torch.tensor([1, 5]), 2, 5)
