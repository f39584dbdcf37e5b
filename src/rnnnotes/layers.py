"""Cells run over whole sequences: unrolled, stacked, in both directions; and torch's weights.

Shapes: inputs (B, T, D), outputs (B, T, H). Sequences of a padded batch have ``lengths`` (B,);
as in torch, the output beyond a sequence's end is zero and its last state is that of its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from rnnnotes._checks import (
    check_choice,
    check_generator,
    check_is,
    check_lengths,
    check_number,
    check_tensor,
)
from rnnnotes.cells.base import Cell, State
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.cells.gru import GRUCell
from rnnnotes.cells.lstm import LSTMCell
from rnnnotes.cells.lstm_sequence import LSTMSequence


@dataclass(frozen=True)
class Trajectory:
    """A cell's way through a batch of sequences.

    Attributes:
        cell: the cell that ran.
        inputs: (B, T, D).
        states: T + 1 states; ``states[t]`` is the state after t steps, ``states[0]`` the first.
            A padded sequence keeps its last state to the end.
        lengths: (B,), or None if every sequence has T steps.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.LSTMCell(2, 3, generator=generator)
        >>> trajectory = rn.unroll(cell, torch.randn(4, 5, 2, generator=generator))
        >>> type(trajectory).__name__, len(trajectory.states)
        ('Trajectory', 6)
        >>> trajectory.hidden.shape, trajectory.gates()["f"].shape
        (torch.Size([4, 5, 3]), torch.Size([4, 5, 3]))
        >>> torch.equal(trajectory.hidden[:, -1], trajectory.last[0])
        True
    """

    cell: Cell
    inputs: Tensor
    states: list[State]
    lengths: Tensor | None = None

    @cached_property
    def hidden(self) -> Tensor:
        """Hidden states h_1 to h_T, (B, T, H); zero beyond a sequence's end."""
        hidden = torch.stack([self.cell.hidden(state) for state in self.states[1:]], dim=1)
        if self.lengths is None:
            return hidden
        return hidden * steps_inside(self.lengths, hidden.shape[1])[:, :, None]

    @property
    def last(self) -> State:
        """The state at each sequence's end."""
        return self.states[-1]

    def gates(self) -> dict[str, Tensor]:
        """Every gate at every step, by name, each (B, T, H)."""
        before = [self.cell.parts(state) for state in self.states[:-1]]
        parts = tuple(torch.stack(part, dim=1) for part in zip(*before, strict=True))
        return self.cell.gates(self.inputs, parts if len(parts) > 1 else parts[0])


def unroll(
    cell: Cell, x: Tensor, state: State | None = None, lengths: Tensor | None = None
) -> Trajectory:
    """Run a cell over whole sequences and keep every state.

    Args:
        cell: any :class:`Cell`.
        x: (B, T, D), T at least 1, of the cell's type.
        state: the state before the first step; zeros if None.
        lengths: (B,) whole numbers from 1 to T; T everywhere if None.

    Returns:
        The cell, the inputs and all T + 1 states; hidden states and gates are computed from them.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.ElmanCell(2, 3, generator=generator)
        >>> x = torch.randn(2, 5, 2, generator=generator)
        >>> trajectory = rn.unroll(cell, x, lengths=torch.tensor([5, 2]))
        >>> trajectory.hidden.abs().sum(2) > 0
        tensor([[ True,  True,  True,  True,  True],
                [ True,  True, False, False, False]])
        >>> torch.equal(trajectory.last[1], trajectory.hidden[1, 1])
        True
    """
    check_is("cell", cell, Cell)
    state = _first_state(cell, x, state)
    if lengths is not None:
        check_lengths("lengths", lengths, *x.shape[:2])
        lengths = lengths.to(x.device)
    states = [state]
    # Time first: unbind then has one backward step for all of its views.
    for t, projected in enumerate(cell.project_input(x.transpose(0, 1)).unbind(0)):
        after = cell.step(projected, state)
        state = after if lengths is None else _hold(cell, t < lengths, after, state)
        states.append(state)
    return Trajectory(cell, x, states, lengths)


def _run(
    cell: Cell, x: Tensor, state: State | None, lengths: Tensor | None
) -> tuple[Tensor, State]:
    """Output and last state of :func:`unroll`; where nobody asks for the steps, without them."""
    probe = vars(cell).get("probe")
    if lengths is not None or not (probe or runs_in_one_piece(cell)):
        trajectory = unroll(cell, x, state, lengths)
        return trajectory.hidden, trajectory.last
    h, c = _first_state(cell, x, state)
    projected = cell.project_input(x.transpose(0, 1))
    probes = probe(projected) if probe else ()
    output, h, c, *_ = LSTMSequence.apply(projected, cell.weight_hh, h, c, *probes)
    return output, (h, c)


def runs_in_one_piece(cell: Cell) -> bool:
    """Whether a layer need not call the cell's steps: an LSTM whose methods are all its own.

    Who wants the gradients by its states then gives it a method ``probe``, which returns the
    probes of :class:`LSTMSequence` for a projected input.
    """
    return type(cell) is LSTMCell and {"activations", "step"}.isdisjoint(vars(cell))


def _first_state(cell: Cell, x: Tensor, state: State | None) -> State:
    """The state before the first step of x (B, T, D), both checked; zeros if None."""
    cell.check_input(x, ("B", "T", cell.input_size))
    if state is None:
        return cell.initial_state(x.shape[0], like=x)
    cell.check_state(state, x.shape[0])
    return state


def _hold(cell: Cell, running: Tensor, after: State, before: State) -> State:
    """``after`` for the sequences that still run, ``before`` for those that have ended."""
    pairs = zip(cell.parts(after), cell.parts(before), strict=True)
    parts = tuple(torch.where(running[:, None], new, old) for new, old in pairs)
    return parts if len(parts) > 1 else parts[0]


class Recurrent(nn.Module):
    """One cell over a sequence: (B, T, D) -> (output (B, T, H), state at the end).

    Args:
        cell: any :class:`Cell`; the layer has it as ``cell``.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.GRUCell(2, 3, generator=generator))
        >>> output, last = layer(torch.randn(4, 5, 2, generator=generator))
        >>> output.shape, torch.equal(output[:, -1], last)
        (torch.Size([4, 5, 3]), True)
    """

    def __init__(self, cell: Cell) -> None:
        super().__init__()
        check_is("cell", cell, Cell)
        self.cell = cell
        self.input_size, self.output_size = cell.input_size, cell.hidden_size

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Output (B, T, H) and last state, from ``state`` (zeros if None).

        Args:
            x: (B, T, D).
            state: the one before the first step: h (B, H), of an LSTM the pair (h, c).
            lengths: (B,) whole numbers from 1 to T; T everywhere if None.
        """
        return _run(self.cell, x, state, lengths)


class Bidirectional(nn.Module):
    """One cell from the left and one from the right, their outputs side by side.

    (B, T, D) -> (output (B, T, H + H'), (state of the left-to-right cell at the sequence's end,
    state of the right-to-left cell at the sequence's beginning)). Each padded sequence is
    turned round within its own length.

    Both last states have seen the whole sequence. ``output[:, -1]`` has not: its second half
    has seen the last step alone.

    Args:
        forward_cell: reads from left to right; H units.
        backward_cell: reads from right to left, inputs of the same size; H' units.

    Raises:
        ValueError: cells that read inputs of unequal size.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> left, right = (rn.ElmanCell(2, 3, generator=generator) for _ in range(2))
        >>> layer = rn.Bidirectional(left, right)
        >>> output, (last_left, last_right) = layer(torch.randn(4, 5, 2, generator=generator))
        >>> output.shape
        torch.Size([4, 5, 6])
        >>> torch.equal(output[:, 0, 3:], last_right)  # the right one ends at the beginning
        True

    Source: Schuster and Paliwal, Bidirectional recurrent neural networks, 1997.
    """

    def __init__(self, forward_cell: Cell, backward_cell: Cell) -> None:
        super().__init__()
        check_is("forward_cell", forward_cell, Cell)
        check_is("backward_cell", backward_cell, Cell)
        if forward_cell.input_size != backward_cell.input_size:
            raise ValueError(
                f"backward_cell: expected input_size {forward_cell.input_size} as the forward "
                f"cell's, got {backward_cell.input_size}"
            )
        self.forward_cell = forward_cell
        self.backward_cell = backward_cell
        self.input_size = forward_cell.input_size
        self.output_size = forward_cell.hidden_size + backward_cell.hidden_size

    def forward(
        self,
        x: Tensor,
        state: tuple[State, State] | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[State, State]]:
        """Output (B, T, H + H') and the last state of either direction."""
        forward_state, backward_state = (None, None) if state is None else _pair(state)
        left, left_end = _run(self.forward_cell, x, forward_state, lengths)
        turned = _reverse(x, lengths)
        right, right_end = _run(self.backward_cell, turned, backward_state, lengths)
        return torch.cat([left, _reverse(right, lengths)], dim=2), (left_end, right_end)


def _pair(state: tuple[State, State]) -> tuple[State, State]:
    return _tuple_of(state, 2, "(forward state, backward state)")


def _layer_states(state: tuple[LayerState, ...], count: int) -> tuple[LayerState, ...]:
    return _tuple_of(state, count, f"of {count} layer states")


def _tuple_of(state: Any, count: int, what: str) -> tuple[Any, ...]:
    """``state``, or TypeError unless it is a tuple of so many."""
    if not isinstance(state, tuple) or len(state) != count:
        came = f" of {len(state)}" if isinstance(state, tuple) else ""
        raise TypeError(f"state: expected a tuple {what}, got {type(state).__name__}{came}")
    return state


def _reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn each sequence round within its length; the padding stays where it is."""
    if lengths is None:
        return x.flip(1)
    place = torch.arange(x.shape[1], device=x.device)
    ends = lengths.to(x.device)[:, None]
    source = torch.where(place < ends, ends - 1 - place, place)
    return x.gather(1, source[:, :, None].expand_as(x))


Layer = Recurrent | Bidirectional
LayerState = State | tuple[State, State]


class Stacked(nn.Module):
    """Layers one on another, each reading the outputs of the one below.

    (B, T, D) -> (output of the top layer (B, T, H), tuple of the layers' last states).

    Args:
        layers: cells or layers, bottom first; each must read what the one below gives out.
        dropout: probability, from 0 to below 1, of losing a value between two layers while
            training; none after the last layer, as in torch.
        residual: from the second layer on, ``output_l = layer(output_{l-1}) + output_{l-1}``;
            these layers must then give out as many values as they read.
        generator: source of the dropout's randomness; torch's global one if None.

    Raises:
        ValueError: no layer, or layers whose sizes do not meet.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cells = [rn.LSTMCell(size, 3, generator=generator) for size in (2, 3)]
        >>> stack = rn.Stacked(cells)
        >>> output, states = stack(torch.randn(4, 5, 2, generator=generator))
        >>> output.shape, len(states)
        (torch.Size([4, 5, 3]), 2)
        >>> rn.to_torch(stack)
        LSTM(2, 3, num_layers=2, batch_first=True)

    Source: Graves, Mohamed and Hinton, Speech recognition with deep recurrent neural networks,
    2013; the residual form from Wu et al., Google's neural machine translation system, 2016.
    """

    def __init__(
        self,
        layers: Iterable[Cell | Layer],
        dropout: float = 0.0,
        residual: bool = False,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_number("dropout", dropout, at_least=0, below=1)
        check_generator("generator", generator, optional=True)
        check_is("layers", layers, Iterable, "cells or layers")
        layers = list(layers)
        if not layers:
            raise ValueError("layers: expected at least one layer, got none")
        for number, layer in enumerate(layers):
            check_is(f"layers[{number}]", layer, (Cell, Recurrent, Bidirectional))
        self.layers = nn.ModuleList(
            Recurrent(layer) if isinstance(layer, Cell) else layer for layer in layers
        )
        self.dropout, self.residual, self.generator = dropout, residual, generator
        self.input_size = self.layers[0].input_size
        self.output_size = self.layers[-1].output_size
        for number in range(1, len(layers)):
            below, layer = self.layers[number - 1], self.layers[number]
            if layer.input_size != below.output_size:
                raise ValueError(
                    f"layers[{number}]: expected input_size {below.output_size}, the output of "
                    f"the layer below, got {layer.input_size}"
                )
            if residual and layer.output_size != layer.input_size:
                raise ValueError(
                    f"layers[{number}]: expected output size {layer.input_size}, equal to its "
                    f"input for the residual sum, got {layer.output_size}"
                )

    def forward(
        self,
        x: Tensor,
        state: tuple[LayerState, ...] | None = None,
        lengths: Tensor | None = None,
    ) -> tuple[Tensor, tuple[LayerState, ...]]:
        """Output of the top layer and the last state of every layer, bottom first."""
        count = len(self.layers)
        states = (None,) * count if state is None else _layer_states(state, count)
        last = []
        for number, (layer, before) in enumerate(zip(self.layers, states, strict=True)):
            output, after = layer(self._drop(x) if number else x, before, lengths)
            x = output + x if self.residual and number else output
            last.append(after)
        return x, tuple(last)

    def _drop(self, x: Tensor) -> Tensor:
        if not self.training or self.dropout == 0:
            return x
        return x * dropout_factors(x, self.dropout, self.generator)


def steps_inside(lengths: Tensor, steps: int) -> Tensor:
    """Which of ``steps`` steps lie within sequences of these lengths (B,): truth values (B, T)."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def last_of(states: Tensor, lengths: Tensor | None = None) -> Tensor:
    """The state at each sequence's end, (B, T, H) -> (B, H)."""
    if lengths is None:
        return states[:, -1]
    return states[torch.arange(len(states), device=states.device), lengths.to(states.device) - 1]


def dropout_factors(like: Tensor, dropout: float, generator: torch.Generator | None) -> Tensor:
    """0 with probability ``dropout``, else ``1 / (1 - dropout)``, in the shape of ``like``."""
    keep = 1 - dropout
    return torch.empty_like(like).bernoulli_(keep, generator=generator) / keep


def from_torch(module: nn.Module) -> Cell | Layer | Stacked:
    """Our layer with the weights of a ``torch.nn.RNN``, ``LSTM`` or ``GRU``, or of their cells.

    Weights are copied. Ours are batch first, whatever ``module.batch_first`` is.

    Args:
        module: the torch layer or cell; it stays as it is.

    Returns:
        A :class:`Cell` for a torch cell; for one layer a :class:`Recurrent` or
        :class:`Bidirectional`; for more a :class:`Stacked`.

    Raises:
        TypeError: another kind of module.
        ValueError: an LSTM with projections (``proj_size``).

    Examples:
        >>> with torch.random.fork_rng():
        ...     theirs = torch.nn.LSTM(2, 3, num_layers=2, batch_first=True)
        >>> ours = rn.from_torch(theirs)
        >>> x = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(0))
        >>> torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-6)
        True
    """
    if isinstance(module, nn.RNNCellBase):
        cell = _like_torch(module, module.input_size)
        cell.load_state_dict(module.state_dict())
        return cell.train(module.training)
    if not isinstance(module, nn.RNNBase):
        raise TypeError(
            "module: expected torch.nn.RNN, LSTM, GRU or one of their cells, "
            f"got {type(module).__name__}"
        )
    if module.proj_size:
        raise ValueError(f"module: expected no projections, proj_size 0, got {module.proj_size}")
    weights = module.state_dict()
    directions = 2 if module.bidirectional else 1
    layers: list[Layer] = []
    for number in range(module.num_layers):
        input_size = module.hidden_size * directions if number else module.input_size
        cells = []
        for suffix in _suffixes(number, directions):
            cell = _like_torch(module, input_size)
            names = [name for name, _ in cell.named_parameters()]
            cell.load_state_dict({name: weights[name + suffix] for name in names})
            cells.append(cell)
        layers.append(Bidirectional(*cells) if module.bidirectional else Recurrent(*cells))
    layer = layers[0] if len(layers) == 1 else Stacked(layers, dropout=module.dropout)
    return layer.train(module.training)


def to_torch(layer: Cell | Layer | Stacked) -> nn.Module:
    """A ``torch.nn`` module, batch first, with copies of our weights: ``from_torch`` undone.

    Args:
        layer: a cell, a layer or a stack, of :class:`ElmanCell` (tanh or ReLU), :class:`LSTMCell`
            or :class:`GRUCell` (reset after the product).

    Returns:
        A torch cell for a cell, else a ``torch.nn.RNN``, ``LSTM`` or ``GRU``.

    Raises:
        ValueError: a layer that torch has no module for: another nonlinearity or reset gate, a
            residual stack, layers of unequal kind or width.
        TypeError: another kind of module.

    Examples:
        >>> ours = rn.Recurrent(rn.GRUCell(2, 3, generator=torch.Generator().manual_seed(0)))
        >>> theirs = rn.to_torch(ours)
        >>> theirs
        GRU(2, 3, batch_first=True)
        >>> torch.equal(theirs.weight_hh_l0, ours.cell.weight_hh)
        True
    """
    check_is("layer", layer, (Cell, Recurrent, Bidirectional, Stacked))
    # Building a torch module draws its start; the reader's random numbers stay as they were.
    with torch.random.fork_rng(devices=[]):
        return _cell_to_torch(layer) if isinstance(layer, Cell) else _layer_to_torch(layer)


def _cell_to_torch(cell: Cell) -> nn.RNNCellBase:
    kind, options = _torch_kind(cell)
    torch_cell = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}[kind]
    module = torch_cell(cell.input_size, cell.hidden_size, cell.bias, **_factory(cell), **options)
    module.load_state_dict(cell.state_dict())
    return module.train(cell.training)


def _layer_to_torch(layer: Layer | Stacked) -> nn.RNNBase:
    layers = list(layer.layers) if isinstance(layer, Stacked) else [layer]
    cells = [list(cells_of(part)) for part in layers]
    forms = {
        (*map(str, _torch_kind(cell)), cell.hidden_size, cell.bias, len(pair))
        for pair in cells
        for cell in pair
    }
    if len(forms) > 1:
        raise ValueError(f"layer: expected cells of one form, got {sorted(map(str, forms))}")
    if isinstance(layer, Stacked) and layer.residual:
        raise ValueError("layer: expected no residual sum, which torch.nn has not, got one")
    first, directions = cells[0][0], len(cells[0])
    kind, options = _torch_kind(first)
    module = getattr(nn, kind)(
        layer.input_size,
        first.hidden_size,
        len(layers),
        bias=first.bias,
        batch_first=True,
        dropout=layer.dropout if isinstance(layer, Stacked) and len(layers) > 1 else 0.0,
        bidirectional=directions == 2,
        **_factory(first),
        **options,
    )
    module.load_state_dict(
        {
            name + suffix: weight
            for number, pair in enumerate(cells)
            for suffix, cell in zip(_suffixes(number, directions), pair, strict=True)
            for name, weight in cell.state_dict().items()
        }
    )
    return module.train(layer.training)


def state_from_torch(module: nn.RNNBase, state: State) -> LayerState | tuple[LayerState, ...]:
    """A fused torch module's state, (layers * directions, B, H), as that of ``from_torch(module)``.

    Args:
        module: a ``torch.nn.RNN``, ``LSTM`` or ``GRU``.
        state: h, or the pair (h, c) of an LSTM.

    Returns:
        Of one layer its state (B, H), or (h, c); of two directions a pair of these, left to right
        first; of several layers a tuple, bottom first.

    Examples:
        >>> with torch.random.fork_rng():
        ...     theirs = torch.nn.GRU(2, 3, num_layers=2, batch_first=True)
        >>> bottom, top = rn.state_from_torch(theirs, torch.zeros(2, 4, 3))
        >>> bottom.shape
        torch.Size([4, 3])
    """
    check_is("module", module, nn.RNNBase, "torch.nn.RNN, LSTM or GRU")
    parts = state if isinstance(state, tuple) else (state,)
    directions = 2 if module.bidirectional else 1
    for part in parts:
        check_tensor("state", part, (module.num_layers * directions, "B", module.hidden_size))
    cells = [cell if len(cell) > 1 else cell[0] for cell in zip(*parts, strict=True)]
    pairs = zip(*(cells[k::directions] for k in range(directions)), strict=True)
    layers = tuple(pair if directions > 1 else pair[0] for pair in pairs)
    return layers if module.num_layers > 1 else layers[0]


def state_to_torch(module: nn.RNNBase, state: LayerState | tuple[LayerState, ...]) -> State:
    """The state of ``from_torch(module)`` as torch's: ``state_from_torch`` undone.

    Args:
        module: a ``torch.nn.RNN``, ``LSTM`` or ``GRU``.
        state: as our layer gives it: of one layer (B, H), or (h, c); of two directions a pair of
            these; of several layers a tuple, bottom first.

    Returns:
        h (layers * directions, B, H), or the pair (h, c) of such tensors of an LSTM.

    Examples:
        >>> with torch.random.fork_rng():
        ...     theirs = torch.nn.GRU(2, 3, num_layers=2, batch_first=True)
        >>> x = torch.randn(4, 5, 2, generator=torch.Generator().manual_seed(0))
        >>> _, state = rn.from_torch(theirs)(x)
        >>> torch.allclose(rn.state_to_torch(theirs, state), theirs(x)[1], atol=1e-6)
        True
    """
    check_is("module", module, nn.RNNBase, "torch.nn.RNN, LSTM or GRU")
    layers = _layer_states(state, module.num_layers) if module.num_layers > 1 else (state,)
    cells = [
        cell for layer in layers for cell in (_pair(layer) if module.bidirectional else (layer,))
    ]
    count = 2 if isinstance(module, nn.LSTM) else 1
    of_cells = [_tuple_of(cell, 2, "(h, c)") if count > 1 else (cell,) for cell in cells]
    for part in (part for parts in of_cells for part in parts):
        check_tensor("state", part, ("B", module.hidden_size))
    stacked = tuple(torch.stack(part) for part in zip(*of_cells, strict=True))
    return stacked if count > 1 else stacked[0]


def cells_of(layer: Layer) -> Iterator[Cell]:
    """The cell of a layer, or both of its cells, left to right first."""
    if isinstance(layer, Bidirectional):
        yield layer.forward_cell
        yield layer.backward_cell
    else:
        yield layer.cell


def _suffixes(number: int, directions: int) -> list[str]:
    """The ends of torch's parameter names for layer ``number``."""
    return [f"_l{number}", f"_l{number}_reverse"][:directions]


def _like_torch(module: nn.RNNBase | nn.RNNCellBase, input_size: int) -> Cell:
    """A cell of the same map, sizes and type as a torch module's; its weights are not loaded."""
    weight = next(module.parameters())
    factory: dict[str, Any] = {"bias": module.bias, "device": weight.device, "dtype": weight.dtype}
    # Its random start is overwritten; a generator of its own leaves the reader's seed alone.
    factory["generator"] = torch.Generator(weight.device)
    if isinstance(module, nn.LSTM | nn.LSTMCell):
        return LSTMCell(input_size, module.hidden_size, **factory)
    if isinstance(module, nn.GRU | nn.GRUCell):
        return GRUCell(input_size, module.hidden_size, **factory)
    return ElmanCell(input_size, module.hidden_size, module.nonlinearity, **factory)


def _torch_kind(cell: Cell) -> tuple[str, dict[str, str]]:
    """torch's name for a cell's map and its options, or ValueError."""
    if type(cell) is LSTMCell:
        return "LSTM", {}
    if type(cell) is GRUCell:
        check_choice("layer.reset, for torch", cell.reset, ("after",))
        return "GRU", {}
    if type(cell) is ElmanCell:
        check_choice("layer.nonlinearity, for torch", cell.nonlinearity, ("tanh", "relu"))
        return "RNN", {"nonlinearity": cell.nonlinearity}
    raise ValueError(
        f"layer: expected ElmanCell, LSTMCell or GRUCell for torch, got {type(cell).__name__}"
    )


def _factory(cell: Cell) -> dict[str, Any]:
    return {"device": cell.weight_hh.device, "dtype": cell.weight_hh.dtype}
