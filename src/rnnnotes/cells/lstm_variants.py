"""The LSTM with peepholes, and the eight ways to change it that Greff et al. compared."""

from __future__ import annotations

import math
from types import MappingProxyType

import torch
from torch import Tensor, nn

from rnnnotes._checks import check_choice
from rnnnotes.cells.base import Cell, State, add_product, linear
from rnnnotes.init import uniform_

VARIANTS = MappingProxyType(
    {
        "V": "vanilla: three gates, each seeing the cell state through a peephole",
        "NP": "no peepholes: torch's LSTM",
        "CIFG": "coupled input and forget gate: f = 1 - i",
        "NIG": "no input gate: i = 1",
        "NFG": "no forget gate: f = 1",
        "NOG": "no output gate: o = 1",
        "NIAF": "no input activation: the candidate g is not squashed",
        "NOAF": "no output activation: the cell state is shown as it is",
        "FGR": "full gate recurrence: every gate sees all gates of the step before",
    }
)
"""The variants by the names of Greff et al., each with what it changes in V."""

_WITHOUT = {"CIFG": "f", "NIG": "i", "NFG": "f", "NOG": "o"}


class LSTMVariantCell(Cell):
    """An LSTM as Greff et al. take it apart; V is the whole of it.

    ``i = sigmoid(W_ii x_t + W_hi h_{t-1} + p_i * c_{t-1} + b_i)``;
    ``f = sigmoid(W_if x_t + W_hf h_{t-1} + p_f * c_{t-1} + b_f)``;
    ``g = tanh(W_ig x_t + W_hg h_{t-1} + b_g)``; ``c_t = f * c_{t-1} + i * g``;
    ``o = sigmoid(W_io x_t + W_ho h_{t-1} + p_o * c_t + b_o)``; ``h_t = o * tanh(c_t)``.
    Each other variant changes what :data:`VARIANTS` says, and has no weights for what it lacks.
    FGR adds ``W_gg [i_{t-1}, f_{t-1}, o_{t-1}]`` inside the three sigmoids.

    Parameters beyond those of :class:`Cell`: ``peephole_i``, ``peephole_f``, ``peephole_o`` (H,)
    and, for FGR, ``weight_gg`` (3H, 3H), rows and columns in the order i, f, o.

    The state is (h, c); for FGR (h, c, i, f, o), with gates of 0 before the first step.

    Args:
        input_size: D.
        hidden_size: H.
        variant: a name in :data:`VARIANTS`.
        bias: whether there are biases.
        generator: source of randomness; torch's global one if None.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> coupled = rn.LSTMVariantCell(2, 3, "CIFG", generator=generator)
        >>> gates = coupled.gates(torch.zeros(1, 2), coupled.initial_state(1))
        >>> torch.equal(gates["f"], 1 - gates["i"])
        True
        >>> for variant in ("V", "CIFG", "FGR"):
        ...     cell = rn.LSTMVariantCell(2, 3, variant, generator=generator)
        ...     print(variant, rn.parameter_count(cell))
        V 93
        CIFG 69
        FGR 174

    Source: Greff, Srivastava, Koutnik, Steunebrink and Schmidhuber, LSTM: a search space
    odyssey, 2017, for the equations and the variants; Gers and Schmidhuber,
    Recurrent nets that time and count, 2000, for the peepholes.
    """

    gate_names: tuple[str, ...] = ("i", "f", "g", "o")
    """Those of i, f, g, o that the variant has weights for, in the order of their rows."""
    state_names: tuple[str, ...] = ("h", "c")
    """Names of the tensors of a state; of FGR also i, f, o."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        variant: str = "V",
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_choice("variant", variant, VARIANTS)
        self.variant = variant
        self.gate_names = tuple(name for name in "ifgo" if name != _WITHOUT.get(variant))
        self.blocks = len(self.gate_names)
        if variant == "FGR":
            self.state_names = ("h", "c", "i", "f", "o")
        super().__init__(
            input_size, hidden_size, bias, generator=generator, device=device, dtype=dtype
        )
        shapes: dict[str, tuple[int, ...]] = {
            f"peephole_{name}": (hidden_size,)
            for name in "ifo"
            if name in self.gate_names and variant != "NP"
        }
        if variant == "FGR":
            shapes["weight_gg"] = (3 * hidden_size, 3 * hidden_size)
        for name, shape in shapes.items():
            parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            uniform_(parameter, 1 / math.sqrt(hidden_size), generator=generator)
            self.register_parameter(name, parameter)

    @property
    def activation_names(self) -> tuple[str, ...]:
        """All of i, f, g, o: also one that has no weights has a value."""
        return ("i", "f", "g", "o")

    def activations(self, projected: Tensor, state: State) -> tuple[Tensor, ...]:
        """i, f, g and o, (B, H); a gate that is left out is 1 (of CIFG, f is one minus i)."""
        return self._advance(projected, state)[:4]

    def step(self, projected: Tensor, state: State) -> State:
        """One step; the state after it carries the gates where the variant needs them."""
        i, f, _, o, c = self._advance(projected, state)
        h = o * (c if self.variant == "NOAF" else c.tanh())
        return (h, c, i, f, o) if self.variant == "FGR" else (h, c)

    def _advance(self, projected: Tensor, state: State) -> tuple[Tensor, ...]:
        h, c, *gates_before = state
        blocks = add_product(projected, h, self.weight_hh).chunk(self.blocks, -1)
        into = dict(zip(self.gate_names, blocks, strict=True))
        if gates_before:
            seen = linear(torch.cat(gates_before, -1), self.weight_gg).chunk(3, -1)
            for name, more in zip("ifo", seen, strict=True):
                into[name] = into[name] + more

        def gate(name: str, cell_state: Tensor) -> Tensor:
            if name not in into:
                return torch.ones_like(cell_state)
            peephole = getattr(self, f"peephole_{name}", None)
            seen = into[name] if peephole is None else into[name] + peephole * cell_state
            return seen.sigmoid()

        i = gate("i", c)
        f = 1 - i if self.variant == "CIFG" else gate("f", c)
        g = into["g"] if self.variant == "NIAF" else into["g"].tanh()
        c = f * c + i * g
        return i, f, g, gate("o", c), c

    def extra_repr(self) -> str:
        """Sizes and variant."""
        return f"{super().extra_repr()}, variant={self.variant!r}"
