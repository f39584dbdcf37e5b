"""Many small nets of one form, each from a seed of its own, trained side by side.

A batch of small matrix products costs little more than one of them, so S nets train several times
faster together than one after the other. No number mixes: each net has its own batches, its own
clipping and, since optimisers work entry by entry, its own updates.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from rnnnotes._checks import check_callable, check_int, check_is, check_positive, check_tensor
from rnnnotes.cells.base import Cell, State, linear
from rnnnotes.cells.elman import ElmanCell
from rnnnotes.cells.gru import GRUCell
from rnnnotes.cells.lstm import LSTMCell
from rnnnotes.cells.lstm_variants import LSTMVariantCell
from rnnnotes.layers import Recurrent
from rnnnotes.tasks.base import Batch, Task
from rnnnotes.training.loop import SequenceModel

Losses = Callable[[torch.Generator], Tensor]
CELLS = (ElmanCell, LSTMCell, GRUCell, LSTMVariantCell)


class Ensemble:
    """S nets side by side: each takes the cell's step, then reads out ``y = W h + b``.

    Shapes have the nets in front: inputs (S, B, T, D), the tensors of a state (S, B, H), outputs
    (S, B, C) after the last step, or (S, B, T, C) after every step, as the models' readout is.

    Args:
        models: S models of one form: :class:`SequenceModel` over a :class:`Recurrent` cell of the
            kinds :class:`ElmanCell`, :class:`LSTMCell`, :class:`GRUCell` and
            :class:`LSTMVariantCell`, with biases. Their weights are copied.

    Attributes:
        weights: (S, P), a row for each net; the only tensor that is trained.

    Raises:
        ValueError: no model, or models of more than one form.

    Examples:
        >>> def model(seed):
        ...     generator = torch.Generator().manual_seed(seed)
        ...     layer = rn.Recurrent(rn.LSTMCell(2, 8, generator=generator))
        ...     return rn.SequenceModel(layer, 1, generator=generator)
        >>> models = [model(seed) for seed in range(5)]
        >>> ensemble = rn.Ensemble(models)
        >>> x = torch.ones(5, 3, 10, 2)  # a batch of 3 sequences for each of 5 nets
        >>> outputs = ensemble(x)
        >>> outputs.shape
        torch.Size([5, 3, 1])
        >>> torch.allclose(outputs[4], models[4](x[4]), atol=1e-6)
        True
    """

    def __init__(self, models: Sequence[SequenceModel]) -> None:
        check_is("models", models, (list, tuple), "a list of models")
        models = list(models)
        if not models:
            raise ValueError("models: expected at least one, got none")
        forms = [_form(model, f"models[{i}]") for i, model in enumerate(models)]
        for i, form in enumerate(forms):
            if form != forms[0]:
                raise ValueError(f"models[{i}]: expected the form {forms[0]}, got {form}")
        self._model = copy.deepcopy(models[0])
        self._cell = self._model.layer.cell
        self.input_size, self.hidden_size = self._cell.input_size, self._cell.hidden_size
        self.output_size = self._model.head.out_features
        self.readout = self._model.readout
        self._shapes = [p.shape for p in self._model.parameters()]
        rows = [torch.cat([p.detach().flatten() for p in model.parameters()]) for model in models]
        self.weights = torch.stack(rows).requires_grad_()

    def __len__(self) -> int:
        """S, the number of nets."""
        return len(self.weights)

    def states(self, x: Tensor, state: State | None = None) -> list[State]:
        """The T states after steps 1 to T, each (S, B, H).

        Args:
            x: (S, B, T, D).
            state: before the first step, of tensors (S, B, H); zeros if None.
        """
        check_tensor("x", x, (len(self), "B", "T", self.input_size), dtype=self.weights.dtype)
        cell = self._cells()
        if state is None:
            zeros = x.new_zeros(len(self), x.shape[1], self.hidden_size)
            state = tuple(zeros for _ in cell.state_names)
            state = state if len(state) > 1 else zeros
        else:
            cell.check_state(state, len(self), x.shape[1])
        projected = cell.project_input(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
        states = []
        for p in projected.unbind(2):
            state = cell.step(p, state)
            states.append(state)
        return states

    def read(self, hidden: Tensor) -> Tensor:
        """The readouts' outputs (S, N, C) of hidden states.

        Args:
            hidden: (S, N, H).
        """
        *_, weight, bias = self._parts()
        return linear(hidden, weight, bias[:, None])

    def __call__(self, x: Tensor, state: State | None = None) -> Tensor:
        """Outputs (S, B, C), or (S, B, T, C), of inputs (S, B, T, D)."""
        hidden = [self._cell.hidden(after) for after in self.states(x, state)]
        if self.readout == "last":
            return self.read(hidden[-1])
        return self.read(torch.stack(hidden, 2).flatten(1, 2)).unflatten(1, x.shape[1:3])

    @property
    def weight_hh(self) -> Tensor:
        """A copy of the recurrent weights, (S, kH, H)."""
        return self._cells().weight_hh.detach().clone()

    def models(self) -> list[SequenceModel]:
        """The S nets as models of their own, with copies of the weights as they are now."""
        made = []
        for row in zip(*self._parts(), strict=True):
            model = copy.deepcopy(self._model)
            with torch.no_grad():
                for parameter, value in zip(model.parameters(), row, strict=True):
                    parameter.copy_(value)
            made.append(model)
        return made

    def sample(self, task: Task, batch_size: int, generator: torch.Generator) -> Batch:
        """A batch of its own for each net: inputs (S, B, T, D), targets (S, B, ...).

        Args:
            task: where the sequences come from.
            batch_size: B, at least 1.
            generator: source of randomness.

        Raises:
            ValueError: a task with padded sequences.
        """
        check_int("batch_size", batch_size)
        batch = task.sample(len(self) * batch_size, generator)
        if bool((batch.lengths < batch.inputs.shape[1]).any()):
            raise ValueError(f"task: expected sequences of one length, got padded ones ({task})")
        inputs = batch.inputs.to(self.weights.dtype)
        parts = (inputs, batch.targets, batch.lengths)
        return Batch(*(part.unflatten(0, (len(self), batch_size)) for part in parts))

    def losses(self, task: Task, batch_size: int = 32) -> Losses:
        """For :func:`fit_ensemble`: the sum over nets of each one's loss on a fresh batch.

        Args:
            task: where batches and loss come from.
            batch_size: sequences for each net, at least 1.
        """

        def total(generator: torch.Generator) -> Tensor:
            batch = self.sample(task, batch_size, generator)
            output = self(batch.inputs).flatten(0, 1)
            # Every net has as many sequences, so the sum of their means is S times the mean.
            return len(self) * task.loss(output, batch.targets.flatten(0, 1))

        return total

    @torch.no_grad()
    def score(self, task: Task, *, size: int = 250, seed: int) -> Tensor:
        """The task's score of every net, (S,), each on sequences of its own.

        Args:
            task: where sequences and score come from.
            size: sequences for each net, at least 1.
            seed: of the sequences.
        """
        batch = self.sample(task, size, torch.Generator().manual_seed(seed))
        pairs = zip(self(batch.inputs), batch.targets, strict=True)
        return torch.tensor([task.score(output, targets) for output, targets in pairs])

    def _parts(self) -> list[Tensor]:
        """The parameters of the nets in the model's order, each (S, ...)."""
        pieces = self.weights.split([shape.numel() for shape in self._shapes], dim=1)
        return [p.unflatten(1, shape) for p, shape in zip(pieces, self._shapes, strict=True)]

    def _cells(self) -> Cell:
        """The cell with the weights of all nets in place of its own, for its own step to use."""
        names = [name for name, _ in self._cell.named_parameters()]
        cells = copy.copy(self._cell)
        cells._parameters = {}
        for name, part in zip(names, self._parts(), strict=False):
            # What one net adds to every row of a batch, each net adds to the rows of its own.
            setattr(cells, name, part[:, None] if part.dim() == 2 else part)
        return cells


def fit_ensemble(
    ensembles: Ensemble | Sequence[Ensemble],
    losses: Losses,
    *,
    updates: int,
    optimizer: Callable[[Iterable[Tensor]], torch.optim.Optimizer],
    clip: float | None = None,
    seed: int,
    watch: Callable[[], Tensor] | None = None,
    watch_every: int = 1,
) -> Tensor | None:
    """Train ensembles, in place; the same seed gives the same weights.

    Args:
        ensembles: one, or several of S nets each whose i-th nets make up one model.
        losses: of the source of the batches, the losses to minimise: a tensor whose sum has, for
            every net, the gradient of that net's own loss.
        updates: to make, at least 1.
        optimizer: from the list of weights to an optimiser that works entry by entry, as
            ``functools.partial(torch.optim.Adam, lr=0.01)``.
        clip: largest norm of each net's gradient, above 0; none if None.
        seed: of the batches, at least 0.
        watch: called before the first update and after every ``watch_every``-th.
        watch_every: at least 1.

    Returns:
        What ``watch`` gave, stacked in front; None without it.

    Raises:
        ValueError: no ensemble.

    Examples:
        >>> def model(seed):
        ...     generator = torch.Generator().manual_seed(seed)
        ...     layer = rn.Recurrent(rn.GRUCell(2, 8, generator=generator))
        ...     return rn.SequenceModel(layer, 2, generator=generator)
        >>> ensemble = rn.Ensemble([model(seed) for seed in range(5)])
        >>> task = rn.tasks.recall(length=3, symbols=2)
        >>> rn.fit_ensemble(
        ...     ensemble,
        ...     ensemble.losses(task),
        ...     updates=50,
        ...     optimizer=lambda weights: torch.optim.Adam(weights, lr=0.03),
        ...     seed=0,
        ... )
        >>> ensemble.score(task, seed=1)  # of each of the 5 nets; guessing scores 1/2
        tensor([1., 1., 1., 1., 1.])
    """
    check_is("ensembles", ensembles, (Ensemble, list, tuple), "an Ensemble or several")
    ensembles = [ensembles] if isinstance(ensembles, Ensemble) else list(ensembles)
    if not ensembles:
        raise ValueError("ensembles: expected at least one, got none")
    for i, ensemble in enumerate(ensembles):
        check_is(f"ensembles[{i}]", ensemble, (Ensemble,), "an Ensemble")
    check_callable("losses", losses)
    check_callable("optimizer", optimizer)
    if watch is not None:
        check_callable("watch", watch)
    check_int("updates", updates)
    check_int("watch_every", watch_every)
    check_int("seed", seed, 0)
    if clip is not None:
        check_positive("clip", clip)
    weights = [ensemble.weights for ensemble in ensembles]
    generator = torch.Generator().manual_seed(seed)
    stepper = optimizer(weights)
    seen = [] if watch is None else [watch()]
    for update in range(1, updates + 1):
        stepper.zero_grad()
        losses(generator).sum().backward()
        if clip is not None:
            norms = torch.cat([w.grad for w in weights], dim=1).norm(dim=1, keepdim=True)
            for w in weights:
                w.grad.div_((norms / clip).clamp(min=1))
        stepper.step()
        if watch is not None and update % watch_every == 0:
            seen.append(watch())
    return torch.stack(seen) if seen else None


def _form(model: nn.Module, name: str) -> str:
    """What two models must share to be stacked, in words."""
    check_is(name, model, (SequenceModel,), "a SequenceModel")
    layer = model.layer
    if not isinstance(layer, Recurrent) or not isinstance(layer.cell, CELLS):
        kind = type(getattr(layer, "cell", layer)).__name__
        expected = ", ".join(cell.__name__ for cell in CELLS)
        raise TypeError(f"{name}: expected a Recurrent cell inside ({expected}), got {kind}")
    if not layer.cell.bias:
        raise ValueError(f"{name}: expected biases, got bias=False")
    return f"{layer.cell}, {model.head}, {model.readout!r}, {layer.cell.weight_hh.dtype}"
