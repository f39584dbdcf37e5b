"""The simple recurrent cell, and the identity start that lets it use ReLU."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnnotes._checks import check_choice, check_number
from rnnnotes.cells.base import Cell, State, add_product
from rnnnotes.init import identity_


class ElmanCell(Cell):
    """Simple recurrent cell: ``h_t = phi(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``.

    Args:
        input_size: D.
        hidden_size: H.
        nonlinearity: phi: ``"tanh"``, ``"relu"``, ``"leaky_relu"`` (slope 0.01 below zero, as
            torch's) or ``"identity"``, which makes the cell linear.
        bias: whether there are biases.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.ElmanCell(2, 3, generator=generator)
        >>> x, h = torch.randn(4, 2, generator=generator), torch.zeros(4, 3)
        >>> cell(x, h).shape
        torch.Size([4, 3])
        >>> torch.allclose(cell(x, h), rn.to_torch(cell)(x, h), atol=1e-6)
        True

    Source: Elman, Finding structure in time, 1990; the same map as ``torch.nn.RNN``.
    """

    blocks = 1
    nonlinearities: ClassVar = {
        "tanh": torch.tanh,
        "relu": torch.relu,
        "leaky_relu": F.leaky_relu,
        "identity": lambda a: a,
    }

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        nonlinearity: str = "tanh",
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_choice("nonlinearity", nonlinearity, self.nonlinearities)
        super().__init__(
            input_size, hidden_size, bias, generator=generator, device=device, dtype=dtype
        )
        self.nonlinearity = nonlinearity

    def step(self, projected: Tensor, state: State) -> State:
        """``phi(projected + W_hh h)``, (B, H)."""
        preactivation = add_product(projected, state, self.weight_hh)
        return self.nonlinearities[self.nonlinearity](preactivation)

    def extra_repr(self) -> str:
        """Sizes and nonlinearity."""
        return f"{super().extra_repr()}, nonlinearity={self.nonlinearity!r}"


def irnn(
    input_size: int,
    hidden_size: int,
    *,
    scale: float = 1.0,
    input_std: float = 0.001,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> ElmanCell:
    """A ReLU :class:`ElmanCell` that starts by keeping its state: ``W_hh = scale I``, ``b = 0``.

    With the identity, and as long as no unit is below zero, ``h_t = h_{t-1} + W_ih x_t`` and
    the gradient comes back unchanged.

    Args:
        input_size: D.
        hidden_size: H.
        scale: factor of the identity; 0.01 where the paper wants less memory.
        input_std: standard deviation of the normal input weights, at least 0; the paper's 0.001.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> cell = rn.irnn(2, 3, generator=torch.Generator().manual_seed(0))
        >>> cell.weight_hh.detach()
        tensor([[1., 0., 0.],
                [0., 1., 0.],
                [0., 0., 1.]])
        >>> cell(torch.zeros(1, 2), torch.tensor([[1.0, 2.0, 3.0]])).detach()
        tensor([[1., 2., 3.]])

    Source: Le, Jaitly and Hinton, A simple way to initialize recurrent networks of rectified
    linear units, 2015.
    """
    check_number("input_std", input_std, at_least=0)
    cell = ElmanCell(
        input_size, hidden_size, "relu", generator=generator, device=device, dtype=dtype
    )
    nn.init.normal_(cell.weight_ih, std=input_std, generator=generator)
    identity_(cell.weight_hh, scale)
    nn.init.zeros_(cell.bias_ih)
    nn.init.zeros_(cell.bias_hh)
    return cell
