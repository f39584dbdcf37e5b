"""What a recurrent matrix does to a vector in the long run, and in one step.

The spectral radius rules the long run, the spectral norm a single step; for a normal matrix
the two are equal, and Henrici's number says how far from normal a matrix is.

All refuse a matrix with NaN or Inf in it (ValueError), for which LAPACK may return any numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnnotes._checks import check_square, check_tensor


def eigenvalues(weight: Tensor) -> Tensor:
    """Eigenvalues of a square matrix, largest modulus first.

    Args:
        weight: (..., H, H).

    Returns:
        Complex tensor (..., H).

    Examples:
        >>> quarter_turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
        >>> rn.eigenvalues(quarter_turn).abs()
        tensor([1., 1.])
        >>> rn.eigenvalues(torch.diag(torch.tensor([0.5, -3.0, 2.0]))).real
        tensor([-3.0000,  2.0000,  0.5000])
    """
    check_square("weight", weight)
    values = torch.linalg.eigvals(weight)
    order = values.abs().argsort(dim=-1, descending=True, stable=True)
    return values.gather(-1, order)


def singular_values(weight: Tensor) -> Tensor:
    """Singular values of a matrix, largest first.

    Args:
        weight: (..., M, N).

    Returns:
        (..., min(M, N)), none negative.

    Examples:
        >>> rn.singular_values(torch.tensor([[0.0, 4.0, 0.0], [3.0, 0.0, 0.0]]))
        tensor([4., 3.])
    """
    check_tensor("weight", weight, ("...", "M", "N"), dtype="floating", finite=True)
    return torch.linalg.svdvals(weight)


def spectral_radius(weight: Tensor) -> Tensor:
    """Largest modulus of an eigenvalue: ``rho = max_i |lambda_i|``.

    ``||W^k||`` grows or decays like ``rho^k`` as k goes to infinity (Gelfand's formula,
    ``rho = lim ||W^k||^(1/k)``). It says nothing of small k: see :func:`henrici`.

    Args:
        weight: (..., H, H).

    Returns:
        (...), of the dtype of ``weight``.

    Examples:
        >>> W = torch.tensor([[0.5, 8.0], [0.0, 0.5]])
        >>> rn.spectral_radius(W)  # in the long run every vector shrinks, by half a step
        tensor(0.5000)
        >>> rn.spectral_radius(torch.stack([W, 2 * W]))
        tensor([0.5000, 1.0000])
    """
    check_square("weight", weight)
    return torch.linalg.eigvals(weight).abs().amax(dim=-1)


def spectral_norm(weight: Tensor) -> Tensor:
    """Largest singular value: ``max ||W v|| / ||v||``, the most that one step can stretch.

    Args:
        weight: (..., M, N).

    Returns:
        (...).

    Examples:
        >>> W = torch.tensor([[0.0, 8.0], [0.0, 0.0]])
        >>> rn.spectral_norm(W)  # one step may stretch eightfold
        tensor(8.)
        >>> rn.spectral_radius(W)  # and two steps leave nothing
        tensor(0.)
    """
    return singular_values(weight)[..., 0]


def henrici(weight: Tensor, *, relative: bool = False) -> Tensor:
    """Henrici's departure from normality: ``sqrt(||W||_F^2 - sum_i |lambda_i|^2)``.

    Zero if and only if ``W W' = W' W``. A matrix of spectral radius below 1 but of a large
    departure can stretch a vector for many steps before it shrinks it.
    Computed in float64; since it is the root of a difference, a departure below about
    ``1e-8 ||W||_F`` cannot be told from zero.

    Args:
        weight: (..., H, H).
        relative: divide by ``||W||_F``, which puts it between 0 and 1 (0 for a zero matrix).

    Returns:
        (...), of the dtype of ``weight``.

    Examples:
        >>> rn.henrici(torch.diag(torch.tensor([0.5, 2.0])))  # normal
        tensor(0.)
        >>> W = torch.tensor([[0.5, 8.0], [0.0, 0.5]])
        >>> rn.henrici(W)
        tensor(8.)
        >>> round(float(rn.henrici(W, relative=True)), 3)
        0.996

    Source: P. Henrici, Bounds for iterates, inverses, spectral variation and fields of values
    of non-normal matrices, Numerische Mathematik 4, 1962.
    """
    check_square("weight", weight)
    exact = weight.double()
    total = exact.square().sum(dim=(-2, -1))
    spectral = torch.linalg.eigvals(exact).abs().square().sum(dim=-1)
    departure = (total - spectral).clamp_min(0).sqrt()
    if relative:
        departure = torch.where(total > 0, departure / total.sqrt(), torch.zeros_like(total))
    return departure.to(weight.dtype)
