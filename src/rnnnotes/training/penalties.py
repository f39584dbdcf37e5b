"""Penalties on weights: L1, L2, and Pascanu's Omega, which acts on the gradient's way back."""

from collections.abc import Iterable

import torch
from torch import Tensor

from rnnnotes._checks import check_is
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.gradient_flow import state_gradients
from rnnnotes.layers import Trajectory

Weights = Tensor | Iterable[Tensor]


def l1_penalty(weights: Weights) -> Tensor:
    """The sum of sizes, ``L1 = sum |w|``, over all entries of a tensor or of several.

    Args:
        weights: a tensor of any shape, or several.

    Returns:
        A scalar.

    Raises:
        ValueError: no tensor.

    Examples:
        >>> rn.l1_penalty(torch.tensor([[1.0, -2.0], [0.0, 3.0]]))
        tensor(6.)
        >>> rn.l1_penalty([torch.ones(2, 3), torch.ones(4)])
        tensor(10.)
    """
    return torch.stack([weight.abs().sum() for weight in _several(weights)]).sum()


def l2_penalty(weights: Weights) -> Tensor:
    """Half the sum of squares, ``L2 = 1/2 sum w^2``, over all entries of a tensor or of several.

    Its gradient is w, which is what SGD's ``weight_decay=1`` adds.

    Args:
        weights: a tensor of any shape, or several.

    Returns:
        A scalar.

    Raises:
        ValueError: no tensor.

    Examples:
        >>> weight = torch.tensor([3.0, -4.0], requires_grad=True)
        >>> penalty = rn.l2_penalty(weight)
        >>> penalty.item()
        12.5
        >>> penalty.backward()
        >>> weight.grad
        tensor([ 3., -4.])
    """
    return torch.stack([weight.square().sum() for weight in _several(weights)]).sum() / 2


def omega_penalty(loss: Tensor, trajectory: Trajectory) -> Tensor:
    """How far each step back is from keeping the size of the gradient that comes through it.

    ``Omega = mean_{k, b} (||v_k D_k W_hh|| / ||v_k|| - 1)^2``, k from 1 to T, with
    ``v_k = dL / dh_k``, ``D_k = diag(phi'(a_k))`` and ``a_k = W_ih x_k + W_hh h_{k-1} + b``:
    v_k D_k W_hh is the part of v_{k-1} that comes through step k. As in the paper only W_hh is
    taken as variable, and v_k and D_k as constant: the penalty's gradient goes to ``weight_hh``
    alone, from one more matrix product. Steps that no gradient reaches, where v_k is 0, are left
    out of the mean; NaN comes out as NaN.

    Args:
        loss: a scalar computed from ``trajectory``; its graph is kept for ``loss.backward()``.
        trajectory: of an :class:`ElmanCell`, from ``unroll``, every sequence of T steps.

    Returns:
        A scalar, 0 where every step keeps the gradient's size.

    Raises:
        TypeError: a trajectory of another cell.
        ValueError: a padded one.

    Examples:
        >>> cell = rn.ElmanCell(2, 3, nonlinearity="identity", generator=torch.Generator())
        >>> _ = rn.identity_(cell.weight_hh, 0.5)  # each step back halves the gradient
        >>> trajectory = rn.unroll(cell, torch.ones(4, 5, 2))
        >>> loss = rn.last_step_sum(trajectory.hidden)
        >>> omega = rn.omega_penalty(loss, trajectory)
        >>> round(omega.item(), 4), (0.5 - 1) ** 2
        (0.25, 0.25)
        >>> (loss + 0.1 * omega).backward()

    Source: Pascanu, Mikolov & Bengio 2013, where Omega is a sum over k; the authors' published
    code takes the mean, as here, and compares squared norms, which is not done here.
    """
    check_is("trajectory", trajectory, Trajectory)
    cell = trajectory.cell
    check_is("trajectory", cell, ElmanCell, "one of an ElmanCell")
    if trajectory.lengths is not None:
        raise ValueError("trajectory: expected sequences of equal length, got padded ones")
    (incoming,) = state_gradients(loss, trajectory)  # (T, B, H)
    # The ratio of norms does not depend on the size of v_k, which may be too small to be squared.
    size = incoming.double().norm(dim=2, keepdim=True)
    # NaN counts as reached: it must show in the mean.
    reached = size.squeeze(2) != 0
    direction = torch.where(size != 0, incoming / size, 0.0).to(incoming.dtype)
    before = torch.stack(trajectory.states[:-1]).detach()
    with torch.enable_grad():
        projected = cell.project_input(trajectory.inputs.detach().transpose(0, 1)).detach()
        # The gradient by the product's summand is that by a_k: D_k applied to v_k.
        projected.requires_grad_()
        after = cell.step(projected.flatten(0, 1), before.flatten(0, 1))
        (through,) = torch.autograd.grad(after, projected, direction.flatten(0, 1))
        ratios = torch.linalg.vector_norm(through @ cell.weight_hh, dim=2)
        deviations = (ratios - 1).square() * reached
    return deviations.sum() / reached.sum().clamp(min=1)


def _several(weights: Weights) -> list[Tensor]:
    check_is("weights", weights, Iterable, "a tensor or several")
    weights = [weights] if isinstance(weights, Tensor) else list(weights)
    for index, weight in enumerate(weights):
        check_is(f"weights[{index}]", weight, Tensor, "a tensor")
    if not weights:
        raise ValueError("weights: expected at least one tensor, got none")
    return weights
