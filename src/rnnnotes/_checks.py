"""Shape, type and range errors that say what was expected and what came.

torch is imported where a tensor is checked, so that the loom and the figures, which do without
it, can check their numbers here too.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Shape = Sequence[int | str]


def check_tensor(
    name: str,
    x: Any,
    shape: Shape | None = None,
    *,
    dtype: torch.dtype | str | None = None,
    finite: bool = False,
) -> None:
    """Raise unless ``x`` is a tensor of the expected shape, type and finiteness.

    ``shape`` holds numbers and names, e.g. ``("B", "T", 3)``. A name stands for any size of at
    least 1, and the same name twice for the same size twice; ``"..."`` in the first or the last
    place stands for any sizes there. ``dtype`` is a ``torch.dtype``, ``"floating"`` or
    ``"integer"``.

    Raises:
        TypeError: not a tensor, or of another type.
        ValueError: another shape, or NaN or Inf where ``finite`` is asked for.
    """
    from torch import Tensor

    check_is(name, x, Tensor, "a torch.Tensor")
    if shape is not None and not _fits(tuple(x.shape), tuple(shape)):
        expected, came = _written(shape), _written(x.shape)
        empty = " without an empty size" if 0 in x.shape else ""
        raise ValueError(f"{name}: expected shape {expected}{empty}, got {came}")
    if not _has_dtype(x, dtype):
        article = "an" if dtype == "integer" else "a"
        expected = f"{article} {dtype} type" if isinstance(dtype, str) else f"dtype {dtype}"
        raise TypeError(f"{name}: expected {expected}, got dtype {x.dtype}")
    if finite:
        check_finite(name, x)


def check_finite(name: str, x: Tensor) -> None:
    """Raise ValueError at the first NaN or Inf of ``x``, and say where it is."""
    wrong = ~x.isfinite()
    if wrong.any():
        place = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(f"{name}: expected finite values, got {float(x[place])} at index {place}")


def check_square(name: str, x: Any) -> None:
    """Raise unless ``x`` is a finite floating matrix (..., H, H), H at least 1."""
    check_tensor(name, x, ("...", "H", "H"), dtype="floating", finite=True)


def check_number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """Raise unless ``value`` is a finite real number within the bounds."""
    bounds = [
        (above, "above", lambda v, b: v > b),
        (at_least, "at least", lambda v, b: v >= b),
        (below, "below", lambda v, b: v < b),
        (at_most, "at most", lambda v, b: v <= b),
    ]
    given = [(bound, word, holds) for bound, word, holds in bounds if bound is not None]
    wanted = " and ".join(f"{word} {bound:g}" for bound, word, _ in given)
    expected = f"a number {wanted}" if given else "a finite number"
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name}: expected {expected}, got {value!r}")
    if not math.isfinite(value) or not all(holds(value, bound) for bound, _, holds in given):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")


def check_positive(name: str, value: Any) -> None:
    """Raise unless ``value`` is a finite number above 0."""
    check_number(name, value, above=0)


def check_non_negative(name: str, value: Any) -> None:
    """Raise unless ``value`` is a finite number of at least 0."""
    check_number(name, value, at_least=0)


def check_probability(name: str, value: Any) -> None:
    """Raise unless ``value`` is a number from 0 to 1."""
    check_number(name, value, at_least=0, at_most=1)


def check_int(name: str, value: Any, at_least: int = 1, at_most: int | None = None) -> None:
    """Raise unless ``value`` is a whole number of at least ``at_least``, at most ``at_most``."""
    top = "" if at_most is None else f" and at most {at_most}"
    expected = f"a whole number of at least {at_least}{top}"
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected {expected}, got {value!r}")
    if value < at_least or (at_most is not None and value > at_most):
        raise ValueError(f"{name}: expected {expected}, got {value!r}")


def check_choice(name: str, value: Any, choices: Collection[Any]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in list(choices):  # a value that has no hash is not in a list, either
        listed = ", ".join(repr(choice) for choice in choices)
        raise ValueError(f"{name}: expected one of {listed}, got {value!r}")


def check_is(
    name: str, value: Any, kinds: type | tuple[type, ...], expected: str | None = None
) -> None:
    """Raise TypeError unless ``value`` is of one of the ``kinds``, in words ``expected``."""
    if not isinstance(value, kinds):
        *more, last = (kind.__name__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,)))
        expected = expected or (f"{', '.join(more)} or {last}" if more else last)
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


def check_module(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` is a ``torch.nn.Module``."""
    from torch import nn

    check_is(name, value, nn.Module, "a torch.nn.Module")


def check_generator(name: str, value: Any, *, optional: bool = False) -> None:
    """Raise TypeError unless ``value`` is a ``torch.Generator``; a bare seed is not one."""
    from torch import Generator

    if not isinstance(value, Generator) and not (optional and value is None):
        raise TypeError(
            f"{name}: expected a torch.Generator, got {type(value).__name__}; "
            "make one with torch.Generator().manual_seed(seed)"
        )


def check_callable(name: str, value: Any) -> None:
    """Raise TypeError unless ``value`` can be called."""
    if not callable(value):
        raise TypeError(f"{name}: expected a function, got {value!r}")


def check_lengths(name: str, lengths: Any, batch_size: int, longest: int) -> None:
    """Raise unless ``lengths`` (B,) holds whole numbers from 1 to ``longest``."""
    check_tensor(name, lengths, (batch_size,), dtype="integer")
    wrong = (lengths < 1) | (lengths > longest)
    if wrong.any():
        place = int(wrong.nonzero()[0])
        raise ValueError(
            f"{name}: expected lengths from 1 to {longest}, got {int(lengths[place])} "
            f"for sequence {place}"
        )


def _fits(came: tuple[int, ...], expected: tuple[int | str, ...]) -> bool:
    if "..." in (expected[:1] + expected[-1:]):
        count = len(expected) - 1
        if len(came) < count or 0 in came:
            return False
        first = expected[0] == "..."
        expected = expected[1:] if first else expected[:-1]
        came = came[len(came) - count :] if first else came[:count]
    if len(came) != len(expected):
        return False
    named: dict[str, int] = {}
    for size, want in zip(came, expected, strict=True):
        if isinstance(want, str):
            if size < 1 or named.setdefault(want, size) != size:
                return False
        elif size != want:
            return False
    return True


def _has_dtype(x: Tensor, dtype: torch.dtype | str | None) -> bool:
    if dtype is None:
        return True
    if dtype == "floating":
        return x.is_floating_point()
    if dtype == "integer":
        return not (x.is_floating_point() or x.is_complex() or str(x.dtype) == "torch.bool")
    return x.dtype == dtype


def _written(shape: Shape | torch.Size) -> str:
    sizes = [str(size) for size in shape]
    return f"({sizes[0]},)" if len(sizes) == 1 else f"({', '.join(sizes)})"
