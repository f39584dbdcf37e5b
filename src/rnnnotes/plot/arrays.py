"""What a figure is given: arrays, tensors or lists of numbers, checked before anything is drawn."""

from collections.abc import Mapping, Sequence, Sized

import numpy as np
from numpy.typing import ArrayLike

from rnnnotes._checks import check_number


def plain(name: str, value: ArrayLike) -> np.ndarray:
    """Return an array, tensor or nested list as an array of float64; TypeError for others."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: expected numbers, got {value!r:.60}") from None


def array_of(name: str, value: ArrayLike, dims: Sequence[str]) -> np.ndarray:
    """Return ``value`` as float64; ValueError unless it has ``dims`` dimensions, none empty."""
    array = plain(name, value)
    if array.ndim != len(dims) or array.size == 0:
        wanted = f"({', '.join(dims)}{',' if len(dims) == 1 else ''})"
        raise ValueError(f"{name}: expected a non-empty shape {wanted}, got {array.shape}")
    return array


def increasing(name: str, value: ArrayLike) -> np.ndarray:
    """Return ``value`` as float64 (n,); ValueError unless it increases and has two or more."""
    array = array_of(name, value, ("n",))
    if len(array) < 2 or not np.all(np.diff(array) > 0):
        raise ValueError(f"{name}: expected at least two increasing values, got {value!r:.60}")
    return array


def curves_of(name: str, curves: Mapping[str, ArrayLike], dim: str) -> dict[str, np.ndarray]:
    """Return {label: (seeds, n) array} with one n; a single curve (n,) counts as one seed."""
    arrays = {}
    for label, value in labelled(name, curves, f"(seeds, {dim})").items():
        array = plain(f"{name}[{label!r}]", value)
        array = array[None] if array.ndim == 1 else array
        arrays[label] = array_of(f"{name}[{label!r}]", array, ("seeds", dim))
    lengths = {label: array.shape[1] for label, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"{name}: expected the same number of {dim} for every label, got {lengths}"
        )
    return arrays


def labelled(name: str, value: Mapping, form: str) -> Mapping:
    """Return ``value``; ValueError unless it is {label: ``form``} with at least one label."""
    if not isinstance(value, Mapping) or not value:
        raise ValueError(f"{name}: expected a dict {{label: {form}}}, got {value!r:.60}")
    return value


def same_length(name: str, array: Sized, other: str, length: int) -> None:
    """ValueError unless there is one value for each of the ``other``."""
    if len(array) != length:
        raise ValueError(
            f"{name}: expected {length} values, one for each of {other}, got {len(array)}"
        )


def check_quantiles(quantiles: tuple[float, float]) -> None:
    """ValueError or TypeError unless these are two numbers from 0 to 1 in their order."""
    if not isinstance(quantiles, Sequence) or isinstance(quantiles, str) or len(quantiles) != 2:
        raise TypeError(f"quantiles: expected a pair (low, high), got {quantiles!r}")
    low, high = quantiles
    check_number("quantiles[0]", low, at_least=0, at_most=1)
    check_number("quantiles[1]", high, at_least=low, at_most=1)
