"""What a recurrent cell is: weights, a first state, and one step.

Shapes: B sequences in a batch, T steps, D inputs, H hidden units; a cell with k gates and
candidates keeps their k matrices as blocks of rows, in the order of ``gate_names``. A state is the
tensor h (B, H), or a tuple of such tensors, for an LSTM the pair (h, c). Parameters have torch's
names and shapes, both biases too, so that weights load across.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnnotes._checks import check_int, check_is, check_tensor
from rnnnotes.init import uniform_

State = Tensor | tuple[Tensor, ...]


def add_product(added: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """``added + W x`` for each row x of (N, D), W (K, D); of S nets (S, N, D) and (S, K, D)."""
    product = torch.addmm if weight.dim() == 2 else torch.baddbmm
    return product(added, x, weight.mT)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``W x + b`` (..., D) -> (..., K) of one net; of S nets (S, N, D) -> (S, N, K)."""
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    return x @ weight.mT if bias is None else add_product(bias, x, weight)


class Cell(nn.Module):
    """A recurrent cell: ``state_t = step(W_ih x_t + b, state_{t-1})``.

    The product of the input needs no state, so it is taken out of the step: a layer computes
    :meth:`project_input` once for the whole sequence, then calls :meth:`step` at each step.

    Parameters: ``weight_ih`` (kH, D), ``weight_hh`` (kH, H), ``bias_ih`` and ``bias_hh`` (kH,),
    or None without bias. They start as torch's do, from U(-1/sqrt(H), 1/sqrt(H)). A NaN in the
    inputs or the state comes out as NaN, as torch's does; shapes and types are checked.

    Args:
        input_size: D, at least 1.
        hidden_size: H, at least 1.
        bias: whether there are biases.
        generator: source of randomness; torch's global one if None.

    Examples:
        Of one's own: a step, and as many blocks as it has matrices.

        >>> class HalvingCell(rn.Cell):
        ...     def step(self, projected, state):
        ...         return state / 2 + projected
        >>> cell = HalvingCell(2, 3, generator=torch.Generator().manual_seed(0))
        >>> x = torch.zeros(4, 5, 2)
        >>> rn.unroll(cell, x).hidden.shape
        torch.Size([4, 5, 3])
    """

    weight_ih: nn.Parameter
    weight_hh: nn.Parameter
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    gate_names: tuple[str, ...] = ()
    """Names of the gates, in the order of their rows in the weights."""
    blocks: int = 1
    """Number of blocks of H rows in the weights."""
    state_names: tuple[str, ...] = ("h",)
    """Names of the tensors of a state."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_int("input_size", input_size)
        check_int("hidden_size", hidden_size)
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias

        def parameter(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(shape, device=device, dtype=dtype))

        rows = self.blocks * hidden_size
        self.weight_ih = parameter(rows, input_size)
        self.weight_hh = parameter(rows, hidden_size)
        self.register_parameter("bias_ih", parameter(rows) if bias else None)
        self.register_parameter("bias_hh", parameter(rows) if bias else None)
        self.reset_parameters(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw every parameter from U(-1/sqrt(H), 1/sqrt(H)), in torch's order."""
        for parameter in self.parameters():
            uniform_(parameter, 1 / math.sqrt(self.hidden_size), generator=generator)

    def initial_state(self, batch_size: int, like: Tensor | None = None) -> State:
        """Zeros: h (B, H), or (h, c); of the type and device of ``like``, or of the weights."""
        check_int("batch_size", batch_size)
        like = self.weight_hh if like is None else like
        check_is("like", like, Tensor)
        parts = tuple(like.new_zeros(batch_size, self.hidden_size) for _ in self.state_names)
        return parts if len(parts) > 1 else parts[0]

    def project_input(self, x: Tensor) -> Tensor:
        """``W_ih x + b_ih + b_hh``, (..., D) -> (..., kH): all of a step that needs no state."""
        bias = None if self.bias_ih is None else self.bias_ih + self.bias_hh
        return linear(x, self.weight_ih, bias)

    def step(self, projected: Tensor, state: State) -> State:
        """One step from :meth:`project_input` of x_t, (B, kH), and the state before it."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State | None = None) -> State:
        """One step on x_t (B, D) from ``state``, zeros if None; returns the state after it."""
        self.check_input(x, ("B", self.input_size))
        if state is None:
            state = self.initial_state(x.shape[0], like=x)
        else:
            self.check_state(state, x.shape[0])
        return self.step(self.project_input(x), state)

    def gates(self, x: Tensor, state: State) -> dict[str, Tensor]:
        """The gates' values at a step, by name, each (..., H).

        Args:
            x: input of the step (..., D).
            state: the state before the step, tensors (..., H).
        """
        self.check_input(x, ("...", self.input_size))
        lead = x.shape[:-1]
        self.check_state(state, *lead)
        flat = tuple(part.reshape(-1, self.hidden_size) for part in self.parts(state))
        projected = self.project_input(x).reshape(-1, self.blocks * self.hidden_size)
        values = self.activations(projected, flat if len(flat) > 1 else flat[0])
        return {
            name: value.reshape(*lead, self.hidden_size)
            for name, value in zip(self.activation_names, values, strict=True)
        }

    def activations(self, projected: Tensor, state: State) -> tuple[Tensor, ...]:
        """The gates (B, H) in the order of ``activation_names``; ``step`` computes with them."""
        return ()

    @property
    def activation_names(self) -> tuple[str, ...]:
        """Names of what :meth:`activations` returns."""
        return self.gate_names

    def hidden(self, state: State) -> Tensor:
        """The part of a state that the next layer sees, h (B, H)."""
        return self.parts(state)[0]

    def parts(self, state: State) -> tuple[Tensor, ...]:
        """The tensors of a state, in the order of ``state_names``."""
        return state if isinstance(state, tuple) else (state,)

    def check_input(self, x: Tensor, shape: tuple[int | str, ...]) -> None:
        """Raise unless ``x`` has this shape and the weights' type."""
        check_tensor("x", x, shape, dtype=self.weight_ih.dtype)

    def check_state(self, state: State, *lead: int) -> None:
        """Raise unless ``state`` is one of this cell's, tensors (*lead, H); lead is B for a step.

        Raises:
            TypeError: not the form of state that the cell has.
            ValueError: tensors of another shape.
        """
        parts = self.parts(state)
        if len(parts) != len(self.state_names) or isinstance(state, tuple) != (len(parts) > 1):
            raise TypeError(
                f"state: expected {self._state_form()}, got {type(state).__name__}"
                + (f" of {len(state)}" if isinstance(state, tuple) else "")
            )
        for name, part in zip(self.state_names, parts, strict=True):
            check_tensor(
                f"state {name}",
                part,
                (*lead, self.hidden_size),
                dtype=self.weight_ih.dtype,
            )

    def _state_form(self) -> str:
        names = ", ".join(self.state_names)
        return f"a tuple ({names})" if len(self.state_names) > 1 else f"a tensor {names}"

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        return f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else ", bias=False")
