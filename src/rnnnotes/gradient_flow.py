"""How a gradient comes back through time, measured.

A state s_t is h_t (B, S), S = H; for an LSTM it is h_t and c_t side by side, twice as wide. States
are counted from 0: s_0 is the state before the first step, s_T the last; ``lag = T - t``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from rnnnotes._checks import (
    check_callable,
    check_choice,
    check_finite,
    check_int,
    check_is,
    check_module,
    check_number,
    check_tensor,
)
from rnnnotes.cells.base import Cell, State
from rnnnotes.layers import (
    Stacked,
    Trajectory,
    cells_of,
    from_torch,
    runs_in_one_piece,
    state_from_torch,
    state_to_torch,
    unroll,
)

Loss = Callable[[Tensor], Tensor]


def step_jacobians(cell: Cell, x: Tensor, state: State | None = None) -> Tensor:
    """Jacobian of every step: ``J_t[i, j] = d s_t[i] / d s_{t-1}[j]``.

    Args:
        cell: any :class:`Cell`.
        x: (B, T, D).
        state: s_0; zeros if None.

    Returns:
        (T, B, S, S); entry t - 1 is J_t. It holds T * B * S^2 numbers.

    Examples:
        >>> cell = rn.ElmanCell(2, 3, nonlinearity="identity", generator=torch.Generator())
        >>> jacobians = rn.step_jacobians(cell, torch.ones(4, 5, 2))
        >>> jacobians.shape
        torch.Size([5, 4, 3, 3])
        >>> torch.allclose(jacobians, cell.weight_hh)  # of a linear cell, at every step
        True

    Source: Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural
    networks, 2013, equation 5, there for the state before the nonlinearity.
    """
    with torch.no_grad():
        trajectory = unroll(cell, x, state)
        before = torch.stack([_joined(cell, s) for s in trajectory.states[:-1]])
        projected = cell.project_input(x.transpose(0, 1))

    def one_step(s: Tensor, p: Tensor) -> Tensor:
        after = cell.step(p[None], _parted(cell, s[None]))
        return _joined(cell, after)[0]

    jacobian = vmap(jacrev(one_step), chunk_size=256)
    flat = jacobian(before.flatten(0, 1), projected.flatten(0, 1))
    return flat.unflatten(0, before.shape[:2]).detach()


def jacobian_product(jacobians: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    """``d s_end / d s_start = J_end J_{end-1} ... J_{start+1}``; the identity if they are equal.

    Args:
        jacobians: (T, B, S, S) from :func:`step_jacobians`.
        start: number of a state, from 0 to T.
        end: number of a state, from ``start`` to T; T if None.

    Returns:
        (B, S, S).

    Examples:
        >>> jacobians = 0.5 * torch.eye(2).expand(10, 1, 2, 2)  # 10 steps that halve the state
        >>> rn.jacobian_product(jacobians, start=7)
        tensor([[[0.1250, 0.0000],
                 [0.0000, 0.1250]]])
        >>> bool((rn.jacobian_product(jacobians) == torch.eye(2) / 2**10).all())
        True
    """
    check_tensor("jacobians", jacobians, ("T", "B", "S", "S"), dtype="floating")
    steps, batch_size, size, _ = jacobians.shape
    end = steps if end is None else end
    check_int("start", start, 0, steps)
    check_int("end", end, start, steps)
    product = torch.eye(size, dtype=jacobians.dtype, device=jacobians.device)
    product = product.repeat(batch_size, 1, 1)
    for jacobian in jacobians[start:end]:
        product = jacobian @ product
    return product


def state_gradients(loss: Tensor, trajectory: Trajectory) -> tuple[Tensor, ...]:
    """Gradient of a loss with respect to every state of a trajectory, from one backward pass.

    For an LSTM these are total derivatives: that of c_t counts its way through h_t too.
    The graph is kept, so that ``loss.backward()`` can follow.

    Args:
        loss: a scalar computed from ``trajectory``.
        trajectory: from :func:`unroll`, made with gradients on.

    Returns:
        One tensor (T, B, H) for each part of the state: (dL/dh,), or (dL/dh, dL/dc). Entry
        t - 1 belongs to state t; zero where the loss does not depend on the state.

    Examples:
        >>> cell = rn.ElmanCell(1, 1, nonlinearity="identity", generator=torch.Generator())
        >>> _ = rn.identity_(cell.weight_hh, 0.5)
        >>> trajectory = rn.unroll(cell, torch.zeros(1, 4, 1))
        >>> (gradients,) = rn.state_gradients(trajectory.hidden[:, -1].sum(), trajectory)
        >>> gradients.flatten()  # dL/dh_1 to dL/dh_4
        tensor([0.1250, 0.2500, 0.5000, 1.0000])
    """
    _check_loss(loss)
    check_is("trajectory", trajectory, Trajectory)
    by_step = (trajectory.cell.parts(s) for s in trajectory.states[1:])
    parts = [list(part) for part in zip(*by_step, strict=True)]
    flat = [tensor for part in parts for tensor in part]
    gradients = torch.autograd.grad(
        loss, flat, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    steps = len(trajectory.states) - 1
    return tuple(torch.stack(gradients[k : k + steps]) for k in range(0, len(flat), steps))


@dataclass(frozen=True)
class LagNorms:
    """Gradient norms by lag; ``norms[k]`` is that at lag k, k steps before the end.

    It can be indexed, iterated, measured with ``len`` and handed to numpy and matplotlib. It has no
    arithmetic of its own: for that take ``values``.

    Attributes:
        values: (T,), or (T, B) if not reduced over the batch.
        measured: what the norm is of: ``"dL/dh"``, ``"dL/dc"`` or ``"dL/d(h, c)"`` (the names of
            the state's parts), then "of" and the cell's name where it lies inside the module; or
            ``"dL/dx, the inputs"``.

    Examples:
        >>> norms = rn.LagNorms(torch.tensor([1.0, 0.5, 0.25]), measured="dL/dh")
        >>> len(norms), norms[2], norms.measured
        (3, tensor(0.2500), 'dL/dh')
        >>> norms.lags
        tensor([0, 1, 2])
        >>> (line,) = plt.plot(norms.lags, norms)
    """

    values: Tensor
    measured: str

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, lag: int | slice | Tensor) -> Tensor:
        return self.values[lag]

    def __iter__(self) -> Iterator[Tensor]:
        return iter(self.values)

    def __array__(self, dtype: object = None, copy: bool | None = None) -> np.ndarray:
        values = self.values.numpy(force=True)
        # NumPy 1 knows no copy=None, and does not pass it.
        return np.asarray(values, dtype) if copy is None else np.array(values, dtype, copy=copy)

    @property
    def lags(self) -> Tensor:
        """0 to T - 1, (T,)."""
        return torch.arange(len(self))


def last_step_sum(output: Tensor) -> Tensor:
    """The loss of a plain probe: the sum of the last step's outputs, averaged over the batch.

    Args:
        output: (B, T, H).

    Returns:
        A scalar.

    Examples:
        >>> output = torch.arange(12.0).reshape(2, 3, 2)
        >>> output[:, -1]
        tensor([[ 4.,  5.],
                [10., 11.]])
        >>> rn.last_step_sum(output)
        tensor(15.)
    """
    check_tensor("output", output, ("B", "T", "H"), dtype="floating")
    return output[:, -1].sum(dim=1).mean()


def gradient_norms_by_lag(
    module: nn.Module,
    x: Tensor,
    loss: Loss = last_step_sum,
    *,
    part: str = "state",
    where: str | None = None,
    reduce: str = "mean",
) -> LagNorms:
    """Norm of the gradient of a loss with respect to each step's state, from one backward pass.

    ``norms[k] = mean_b ||dL / ds_{T-k}[b]||``, k from 0 to T - 1.

    What is measured depends on what is in ``module``, and ``measured`` says it:

    - one of our cells, alone or anywhere inside: its states;
    - ``torch.nn.RNN``, ``LSTM``, ``GRU`` or one of their cells, alone or anywhere inside: their
      states (the fused ones run as our cells for this one pass, with the same weights);
    - neither: the inputs, ``||dL / dx_{T-k}[b]||`` (Euclidean over all of a step's numbers).

    Args:
        module: a cell, a layer or any model that is called as ``module(x)`` and runs over all
            of x once. A bare cell is unrolled. A tuple's first element counts as its output.
        x: (B, T, ...); for a ``torch.nn`` layer with ``batch_first=False``, (T, B, D).
        loss: from the module's output (a cell's or a layer's (B, T, H)) to a scalar. The default
            needs (B, T, H); for a readout (B, C), as of :class:`SequenceModel`, give one such as
            ``lambda y: y.sum(1).mean()``. Of a model that has a loss at every step give the last
            step's alone: the others would add their near parts at every lag.
        part: of an LSTM's state: ``"state"``, h and c together as the next step reads them, so
            that it is the gradient which the step Jacobians multiply; ``"hidden"``; or
            ``"cell"``, where c counts its way through the h of its own step too (an error for a
            cell without c, as a GRU).
        where: name of the cell to look at where there are several: its path, or for a fused
            torch module its path and torch's suffix: ``"encoder.l0"``, ``"encoder.l1_reverse"``.
            A right-to-left cell has its own order: lag 0 is the sequence's beginning.
        reduce: ``"mean"`` over the batch, or ``"none"``. A loss that is a mean over the batch
            gives each sequence a gradient of 1/B of its own.

    Returns:
        T norms, lag 0 first, with what they are of; (T, B) if not reduced. To draw them:
        ``rn.plot.norms_by_lag({"GRU": norms})``.

    Raises:
        ValueError: ``where`` is missing or unknown, the loss does not depend on what is measured,
            ``part="cell"`` of a cell without c, or the default loss with a ``torch.nn`` layer that
            is time first (``batch_first=False``), whose last step it would not find.

    Examples:
        >>> cell = rn.ElmanCell(1, 4, nonlinearity="identity", generator=torch.Generator())
        >>> _ = rn.identity_(cell.weight_hh, 0.5)  # each step back halves the gradient
        >>> norms = rn.gradient_norms_by_lag(cell, torch.zeros(1, 30, 1))
        >>> norms[:4]
        tensor([2.0000, 1.0000, 0.5000, 0.2500])
        >>> norms.measured
        'dL/dh'

        It looks into torch's layers, and into models that have them inside:

        >>> lstm = rn.to_torch(rn.Recurrent(rn.LSTMCell(1, 4, generator=torch.Generator())))
        >>> norms = rn.gradient_norms_by_lag(lstm, torch.zeros(8, 30, 1))
        >>> type(lstm).__name__, len(norms), bool(norms[-1] < norms[0])
        ('LSTM', 30, True)

        A language model has a loss at every step; that of the last one tells how far it reads:

        >>> class LanguageModel(torch.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.embedding = torch.nn.Embedding(50, 8)
        ...         self.lstm = torch.nn.LSTM(8, 16, batch_first=True)
        ...         self.readout = torch.nn.Linear(16, 50)
        ...     def forward(self, tokens):
        ...         return self.readout(self.lstm(self.embedding(tokens))[0])
        >>> with torch.random.fork_rng():
        ...     model = LanguageModel()
        >>> tokens = torch.arange(80).reshape(2, 40) % 50
        >>> following = (tokens[:, -1] + 1) % 50
        >>> def last_step_loss(logits):
        ...     return torch.nn.functional.cross_entropy(logits[:, -1], following)
        >>> norms = rn.gradient_norms_by_lag(model, tokens, last_step_loss)
        >>> len(norms), norms.measured
        (40, 'dL/d(h, c) of lstm.l0')
    """
    check_module("module", module)
    check_is("x", x, Tensor, "a torch.Tensor")
    check_callable("loss", loss)
    if loss is last_step_sum and isinstance(module, nn.RNNBase) and not module.batch_first:
        raise ValueError(
            "module: expected batch_first=True, or a loss that reads output[-1], "
            "got batch_first=False"
        )
    check_choice("part", part, ("state", "hidden", "cell"))
    check_choice("reduce", reduce, ("mean", "none"))
    with torch.enable_grad(), _recorded_states(module) as records:
        if not records:
            check_tensor("x", x, ("B", "T", "..."), dtype="floating")
            x = x.detach().clone().requires_grad_()
        output = unroll(module, x).hidden if isinstance(module, Cell) else module(x)
        value = loss(output[0] if isinstance(output, tuple) else output)
    _check_loss(value)
    if records:
        name = _chosen(where, records)
        parts = _picked(*records[name], part)
        tensors = [tensor for states in parts.values() for tensor in states]
        gradients = torch.autograd.grad(value, tensors, allow_unused=True, materialize_grads=True)
        # One for each step, or one for all steps of a sequence.
        gradients = torch.cat([g.reshape(-1, *g.shape[-2:]) for g in gradients])
        norms = _norm(gradients, dim=2).unflatten(0, (len(parts), -1))
        norms = _norm(norms, dim=0)
        measured = f"dL/d({', '.join(parts)})" if len(parts) > 1 else f"dL/d{next(iter(parts))}"
        measured += f" of {name}" if name else ""
    else:
        if where is not None:
            raise ValueError(f"where: expected None for a module without cells, got {where!r}")
        (gradient,) = torch.autograd.grad(value, [x])
        norms = _norm(gradient.flatten(2), dim=2).t()
        measured = "dL/dx, the inputs"
    norms = norms.detach().flip(0)
    return LagNorms(norms.mean(dim=1) if reduce == "mean" else norms, measured)


def horizon(norms: LagNorms | Tensor | np.ndarray, fraction: float = 1e-3) -> float:
    """First lag at which the norm is below ``fraction`` of the norm at lag 0; inf if none is.

    ``horizon = min {k : norms[k] < fraction * norms[0]}``. Beyond lag 0, NaN is not below anything.

    Args:
        norms: (T,), lag 0 first.
        fraction: above 0 and below 1.

    Returns:
        A lag in steps, an int; the float inf if there is none.

    Raises:
        ValueError: a norm at lag 0 that is not finite, with which nothing can be compared.

    Examples:
        >>> norms = 0.5 ** torch.arange(30.0)  # 1, 1/2, 1/4, ...
        >>> rn.horizon(norms)  # 2^-10 is the first below 1/1000
        10
        >>> rn.horizon(norms, fraction=0.3)
        2
        >>> rn.horizon(norms[:5])
        inf
    """
    check_number("fraction", fraction, above=0, below=1)
    check_is("norms", norms, (LagNorms, Tensor, np.ndarray, list, tuple), "a tensor or an array")
    values = torch.as_tensor(norms.values if isinstance(norms, LagNorms) else norms)
    check_tensor("norms", values, ("T",), dtype="floating")
    check_finite("norms at lag 0", values[0])
    below = (values < fraction * values[0]).nonzero()
    return int(below[0]) if len(below) else inf


def untied_contributions(
    cell: Cell,
    x: Tensor,
    loss: Loss = last_step_sum,
    *,
    parameter: str = "weight_hh",
    state: State | None = None,
) -> Tensor:
    """The gradient of a shared weight, split into its steps: entry t - 1 is that of step t.

    Every step gets an alias W_t of the weight of its own, so that one backward pass keeps the parts
    apart which it adds up otherwise: ``dL/dW = sum_t dL/dW_t``. No weight is copied.

    Args:
        cell: any :class:`Cell`.
        x: (B, T, D).
        loss: from the hidden states (B, T, H) to a scalar.
        parameter: name of the shared weight.
        state: s_0; zeros if None.

    Returns:
        (T, *shape of the parameter).

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> cell = rn.ElmanCell(2, 3, generator=generator)
        >>> x = torch.randn(4, 6, 2, generator=generator)
        >>> parts = rn.untied_contributions(cell, x)
        >>> parts.shape  # a gradient of weight_hh for each of 6 steps
        torch.Size([6, 3, 3])
        >>> rn.last_step_sum(rn.unroll(cell, x).hidden).backward()
        >>> torch.allclose(parts.sum(0), cell.weight_hh.grad, atol=1e-6)
        True
    """
    check_is("cell", cell, Cell)
    check_callable("loss", loss)
    shared = dict(cell.named_parameters())
    check_choice("parameter", parameter, shared)
    cell.check_input(x, ("B", "T", cell.input_size))
    state = cell.initial_state(x.shape[0], like=x) if state is None else state
    aliases, hidden = [], []
    with torch.enable_grad():
        for x_t in x.unbind(1):
            alias = shared[parameter].detach().requires_grad_()
            state = functional_call(cell, {parameter: alias}, (x_t, state))
            aliases.append(alias)
            hidden.append(cell.hidden(state))
        value = loss(torch.stack(hidden, dim=1))
    _check_loss(value)
    return torch.stack(
        torch.autograd.grad(value, aliases, allow_unused=True, materialize_grads=True)
    )


class CellPath(NamedTuple):
    """Gradients dL/dc by lag, (T, B, H) each: ``total = direct + rest``.

    Attributes:
        total: (T, B, H), by every way back.
        direct: (T, B, H), along c alone.
        rest: (T, B, H), what passes through a gate or a candidate at least once.

    Examples:
        >>> cell = rn.LSTMCell(1, 2, generator=torch.Generator())
        >>> path = rn.direct_path(cell, torch.ones(1, 5, 1))
        >>> isinstance(path, rn.CellPath), path.total.shape
        (True, torch.Size([5, 1, 2]))
        >>> total, direct, rest = path
        >>> torch.allclose(total, direct + rest)
        True
    """

    total: Tensor
    direct: Tensor
    rest: Tensor


def direct_path(
    cell: Cell, x: Tensor, loss: Loss = last_step_sum, *, state: State | None = None
) -> CellPath:
    """The part of an LSTM's gradient that comes back along the cell state alone, and the rest.

    For a loss of the last output the direct part at lag k is
    ``direct[k] = dL/dc_T * f_T * f_{T-1} * ... * f_{T-k+1}``; with every forget gate at 1 it is
    ``dL/dc_T``: the constant error carousel. The rest passes through a gate or a candidate at least
    once. (A gate that sees c through a peephole counts as direct.)

    Args:
        cell: a cell whose state has a c.
        x: (B, T, D).
        loss: from the hidden states (B, T, H) to a scalar.
        state: s_0; zeros if None.

    Returns:
        The gradients at lags 0 to T - 1: the whole, its direct part and the rest.

    Raises:
        TypeError: a cell without a cell state c.

    Examples:
        >>> cell = rn.LSTMCell(1, 2, generator=torch.Generator())
        >>> _ = rn.forget_bias_(cell, 100.0)  # every forget gate is 1
        >>> path = rn.direct_path(cell, torch.ones(1, 50, 1))
        >>> torch.equal(path.direct[49], path.direct[0])  # the constant error carousel
        True

    Source: Hochreiter and Schmidhuber, Long short-term memory, 1997, section 3.2.
    """
    check_is("cell", cell, Cell)
    check_callable("loss", loss)
    if "c" not in cell.state_names:
        raise TypeError(f"cell: expected a cell with a cell state c, got {type(cell).__name__}")
    with torch.enable_grad():
        trajectory = unroll(cell, x, state)
        value = loss(trajectory.hidden)
        _check_loss(value)
        step, along = cell.step, cell.state_names.index("c")
        total = state_gradients(value, trajectory)[along]

        # The gates read h without passing a gradient on: what is left goes along c.
        def cut_step(projected: Tensor, before: State) -> State:
            parts = (p if k == along else p.detach() for k, p in enumerate(before))
            return step(projected, tuple(parts))

        with _replaced(cell, "step", cut_step):
            cut = unroll(cell, x, state)
        direct = state_gradients(loss(cut.hidden), cut)[along]
    total, direct = total.flip(0), direct.flip(0)
    return CellPath(total, direct, total - direct)


def _joined(cell: Cell, state: State) -> Tensor:
    """A state as one tensor (B, S)."""
    return torch.cat(cell.parts(state), dim=-1)


def _parted(cell: Cell, joined: Tensor) -> State:
    """The state that :func:`_joined` made into one tensor."""
    parts = joined.split(cell.hidden_size, dim=-1)
    return parts if len(parts) > 1 else parts[0]


def _norm(x: Tensor, dim: int) -> Tensor:
    """Euclidean norm over one dimension, right for all sizes of number that the type holds."""
    largest = x.abs().amax(dim, keepdim=True)
    # Squares alone would be 0 below 1e-23 in float32, and infinite above 1e19.
    scale = largest.where((largest > 0) & largest.isfinite(), 1)
    return (x / scale).norm(dim=dim) * scale.squeeze(dim)


def _check_loss(value: Tensor) -> None:
    check_tensor("loss", value, (), dtype="floating")
    if not value.requires_grad:
        raise ValueError("loss: expected a value that depends on the states, got a constant")


@contextmanager
def _replaced(module: nn.Module, name: str, function: Callable) -> Iterator[None]:
    """``module.name`` is ``function`` inside the block."""
    setattr(module, name, function)
    try:
        yield
    finally:
        delattr(module, name)


Parts = tuple[Tensor, ...]
# By cell: the names of a state's parts, and for each step the parts and their aliases, or for a
# whole sequence its probes.
Records = dict[str, tuple[tuple[str, ...], list[tuple[Parts, Parts]]]]


@contextmanager
def _recorded_states(module: nn.Module) -> Iterator[Records]:
    """The states of every recurrent cell in ``module``, by name, as they are computed.

    What comes after a step reads an alias of its state. The gradient of the alias of c leaves
    out the way through the h of the same step, that of the original c counts it: both are kept.
    Where a layer runs a whole sequence at once, probes stand for the states of all its steps.
    """
    records: Records = {}
    with ExitStack() as stack:

        def watch(name: str, cell: nn.Module, method: str) -> None:
            names = getattr(cell, "state_names", ("h", "c"))
            step: Callable = getattr(cell, method)
            states: list[tuple[Parts, Parts]] = []
            records[name] = (names, states)

            def recording(*args: object) -> State:
                after = step(*args)
                parts = after if isinstance(after, tuple) else (after,)
                read = tuple(part.view_as(part) for part in parts)
                states.append((parts, read))
                return read if len(read) > 1 else read[0]

            def probe(projected: Tensor) -> Parts:
                shape = (*projected.shape[:2], cell.hidden_size)
                h, c, c_made = (
                    projected.new_zeros(()).expand(shape).requires_grad_() for _ in range(3)
                )
                states.append(((h, c_made), (h, c)))
                return h, c, c_made

            in_one_piece = isinstance(cell, Cell) and runs_in_one_piece(cell)
            stack.enter_context(_replaced(cell, method, recording))
            if in_one_piece:
                stack.enter_context(_replaced(cell, "probe", probe))

        for name, child in list(module.named_modules()):
            if isinstance(child, Cell):
                watch(name, child, "step")
            elif isinstance(child, nn.RNNCellBase):
                watch(name, child, "forward")
            elif isinstance(child, nn.RNNBase):
                layer = from_torch(child)
                layers = layer.layers if isinstance(layer, Stacked) else [layer]
                for number, part in enumerate(layers):
                    for cell, suffix in zip(cells_of(part), ("", "_reverse"), strict=False):
                        watch(".".join(filter(None, [name, f"l{number}{suffix}"])), cell, "step")
                stack.enter_context(_replaced(child, "forward", _in_place_of(child, layer)))
        yield records


def _in_place_of(child: nn.RNNBase, layer: nn.Module) -> Callable:
    """A ``forward`` for a torch module that runs our layer and answers in torch's form."""

    def forward(x: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        check_tensor("x of the torch module", x)
        parts = () if hx is None else hx if isinstance(hx, tuple) else (hx,)
        single = x.dim() == 2
        if single:
            x, parts = x[None], tuple(part[:, None] for part in parts)
        elif not child.batch_first:
            x = x.transpose(0, 1)
        first = parts if len(parts) > 1 else parts[0] if parts else None
        output, last = layer(x, None if first is None else state_from_torch(child, first))
        last = state_to_torch(child, last)
        if single:
            pair = isinstance(last, tuple)
            return output[0], tuple(p[:, 0] for p in last) if pair else last[:, 0]
        return output if child.batch_first else output.transpose(0, 1), last

    return forward


def _chosen(where: str | None, records: Records) -> str:
    if where is None and len(records) == 1:
        return next(iter(records))
    if where not in records:
        names = ", ".join(repr(name) for name in records)
        raise ValueError(f"where: expected one of {names}, got {where!r}")
    return where


def _picked(
    names: tuple[str, ...], states: list[tuple[Parts, Parts]], part: str
) -> dict[str, list[Tensor]]:
    """The tensors to differentiate by, one list over the steps for each part of the state."""
    if not states:
        raise ValueError("module: expected a cell that is run on x, got one that is not")
    # A torch cell has no names of its own: h, or h and c.
    names = names[: len(states[0][0])]
    if part == "cell":
        if "c" not in names:
            raise ValueError("part: expected 'state' or 'hidden' without a cell state, got 'cell'")
        return {"c": [original[names.index("c")] for original, _ in states]}
    wanted = names if part == "state" else names[:1]
    return {name: [read[k] for _, read in states] for k, name in enumerate(wanted)}
