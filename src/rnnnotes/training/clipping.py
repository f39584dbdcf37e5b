"""Gradient clipping: by size, by value and by norm; what NaN and Inf do is the caller's choice."""

import math
from collections.abc import Iterable
from numbers import Real

import torch
from torch import Tensor

from rnnnotes._checks import check_choice, check_is, check_positive

NONFINITE = ("error", "skip", "pass")
Parameters = Tensor | Iterable[Tensor] | Iterable[tuple[str, Tensor]]


def clip_scalar(g: float | Tensor, threshold: float) -> float | Tensor:
    """One gradient, or each entry of a tensor of its own: no larger than ``threshold``, same sign.

    ``clip(g) = threshold / |g| * g if |g| >= threshold else g``

    The result is written as the threshold with the sign of g, which is the same number but for
    rounding, and right for an infinite g, where the quotient would give NaN. A NaN stays NaN: a
    size cannot be given to what has none.

    Args:
        g: a number, or a tensor of any shape.
        threshold: above 0.

    Returns:
        A number, or a new tensor of the shape of g.

    Examples:
        >>> rn.clip_scalar(-30.0, threshold=5.0), rn.clip_scalar(2.0, threshold=5.0)
        (-5.0, 2.0)
        >>> rn.clip_scalar(torch.tensor([3.0, -7.0, float("inf")]), threshold=5.0)
        tensor([ 3., -5.,  5.])

    Source: Mikolov, Statistical language models based on neural networks, 2012, where it is a
    piece of practical advice.
    """
    check_positive("threshold", threshold)
    check_is("g", g, (Tensor, Real), "a number or a tensor")
    if isinstance(g, Tensor):
        bound = torch.full_like(g, threshold)
        return torch.where(g.abs() >= threshold, torch.copysign(bound, g), g)
    return math.copysign(threshold, g) if abs(g) >= threshold else g


def gradient_norm(parameters: Parameters) -> float:
    """The Euclidean norm of all gradients taken as one vector; 0.0 where there is none.

    ``norm = sqrt(sum_p ||g_p||^2)``

    Summed in float64, so that it is finite wherever every gradient is: in float32 the square of
    1e20 overflows and that of 1e-30 vanishes.

    Args:
        parameters: as for :func:`clip_norm_`, of any shape.

    Examples:
        >>> layer = torch.nn.utils.skip_init(torch.nn.Linear, 1, 1)
        >>> layer.weight.grad, layer.bias.grad = torch.tensor([[3.0]]), torch.tensor([4.0])
        >>> rn.gradient_norm(layer.parameters())
        5.0
    """
    return _norm([parameter.grad for _, parameter in _with_gradient(parameters)])


def clip_norm_(parameters: Parameters, max_norm: float, *, nonfinite: str = "error") -> float:
    """Scale all gradients in place so that their common norm is at most ``max_norm``.

    ``g_p <- g_p * min(1, max_norm / norm)``, with the norm of :func:`gradient_norm`.

    Equal to ``torch.nn.utils.clip_grad_norm_`` but for its divisor norm + 1e-6, which shrinks a
    little more, and for its norm in the gradients' own precision.

    Args:
        parameters: a tensor of any shape, several, or (name, tensor) pairs, as of
            ``named_parameters()``, whose names then appear in errors; those without gradient are
            left out.
        max_norm: above 0.
        nonfinite: what a gradient with NaN or Inf does: ``"error"`` raises; ``"skip"`` sets every
            gradient to None, so that an optimiser's step changes nothing; ``"pass"`` leaves the
            gradients as they are.

    Returns:
        The norm before clipping.

    Raises:
        FloatingPointError: a gradient with NaN or Inf; it names the first such parameter.
        ValueError: a ``max_norm`` of 0, below it, or infinite.
        TypeError: no tensors, as a module: give its ``parameters()``.

    Examples:
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> weight.grad = torch.tensor([3.0, 4.0])
        >>> rn.clip_norm_(weight, max_norm=1.0)  # the norm before
        5.0
        >>> weight.grad
        tensor([0.6000, 0.8000])
        >>> weight.grad = torch.tensor([3.0, float("nan")])
        >>> rn.clip_norm_(weight, max_norm=1.0, nonfinite="skip"), weight.grad
        (nan, None)

    Source: Pascanu, Mikolov & Bengio 2013, algorithm 1.
    """
    check_positive("max_norm", max_norm)
    check_choice("nonfinite", nonfinite, NONFINITE)
    named = _with_gradient(parameters)
    gradients = [parameter.grad for _, parameter in named]
    norm = _norm(gradients)
    if not math.isfinite(norm):
        if nonfinite == "error":
            raise FloatingPointError(
                f"clip_norm_: expected finite gradients, got {first_nonfinite(named)}"
            )
        if nonfinite == "skip":
            for _, parameter in named:
                parameter.grad = None
    elif norm > max_norm:
        torch._foreach_mul_(gradients, max_norm / norm)
    return norm


def clip_value_(parameters: Parameters, clip_value: float) -> None:
    """Clamp every entry of every gradient in place; this turns the gradient's direction.

    ``g_i <- min(max(g_i, -clip_value), clip_value)``

    NaN stays NaN. Equal to ``torch.nn.utils.clip_grad_value_``.

    Args:
        parameters: as for :func:`clip_norm_`, of any shape.
        clip_value: largest size of an entry, above 0.

    Examples:
        >>> weight = torch.zeros(3, requires_grad=True)
        >>> weight.grad = torch.tensor([0.5, -4.0, 30.0])
        >>> rn.clip_value_(weight, clip_value=1.0)
        >>> weight.grad
        tensor([ 0.5000, -1.0000,  1.0000])
    """
    check_positive("clip_value", clip_value)
    gradients = [parameter.grad for _, parameter in _with_gradient(parameters)]
    if gradients:
        torch._foreach_clamp_min_(gradients, -clip_value)
        torch._foreach_clamp_max_(gradients, clip_value)


def first_nonfinite(named: Iterable[tuple[str, Tensor]]) -> str:
    """Which gradient is the first with NaN or Inf, and how many entries: "" if all are finite."""
    for name, parameter in named:
        count = 0 if parameter.grad is None else int((~parameter.grad.isfinite()).sum())
        if count:
            return f"{count} of {parameter.grad.numel()} entries NaN or Inf in {name}.grad"
    return ""


def _with_gradient(parameters: Parameters) -> list[tuple[str, Tensor]]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    check_is("parameters", parameters, Iterable, "tensors")
    named = []
    for index, item in enumerate(parameters):
        name, parameter = item if isinstance(item, tuple) else (f"parameters[{index}]", item)
        check_is(name, parameter, Tensor, "a tensor")
        if parameter.grad is not None:
            named.append((name, parameter))
    return named


def _norm(gradients: list[Tensor]) -> float:
    if not gradients:
        return 0.0
    norms = torch._foreach_norm(gradients, 2, torch.float64)
    return torch.linalg.vector_norm(torch.stack(norms)).item()
