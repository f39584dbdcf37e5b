"""A small training loop: reproducible under its seed, with a record of every step."""

import math
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from rnnnotes._checks import (
    check_callable,
    check_choice,
    check_generator,
    check_int,
    check_is,
    check_lengths,
    check_module,
    check_tensor,
)
from rnnnotes.layers import Bidirectional, Stacked, last_of
from rnnnotes.tasks.base import Batch, Task
from rnnnotes.training.clipping import clip_norm_, first_nonfinite, gradient_norm
from rnnnotes.training.monitors import GradientMonitor

READOUTS = ("last", "all")
EVALUATION_BATCH = 500

Optimizer = torch.optim.Optimizer | Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
Clip = float | Callable[[list[nn.Parameter]], object]


class SequenceModel(nn.Module):
    """A recurrent layer with a linear readout: (B, T, D) -> (B, C), or (B, T, C).

    ``y = W_out h + b_out``, of the last state of each sequence or of every state.

    Args:
        layer: gives (output (B, T, H), state), or the output alone: our layers, or a batch-first
            ``torch.nn.RNN``, ``LSTM`` or ``GRU``. Its ``output_size`` or ``hidden_size`` is H.
        output_size: C.
        readout: ``"last"`` reads the state at each sequence's end, and of a bidirectional layer the
            state of the right-to-left part at its beginning; ``"all"`` reads every step.
        generator: source of the readout's random start, which is torch's U(-1/sqrt(H), 1/sqrt(H));
            torch's global one if None.

    Raises:
        ValueError: a torch layer that is not batch first.
        TypeError: a layer without an output size.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.LSTMCell(2, 8, generator=generator))
        >>> model = rn.SequenceModel(layer, output_size=3, generator=generator)
        >>> model(torch.ones(4, 10, 2)).shape
        torch.Size([4, 3])
        >>> tagger = rn.SequenceModel(layer, output_size=3, readout="all", generator=generator)
        >>> tagger(torch.ones(4, 10, 2)).shape
        torch.Size([4, 10, 3])
    """

    def __init__(
        self,
        layer: nn.Module,
        output_size: int,
        readout: str = "last",
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        check_module("layer", layer)
        check_int("output_size", output_size)
        check_generator("generator", generator, optional=True)
        check_choice("readout", readout, READOUTS)
        if isinstance(layer, nn.RNNBase) and not layer.batch_first:
            raise ValueError("layer: expected batch_first=True, got batch_first=False")
        size = _output_size(layer)
        self.layer = layer
        self.readout = readout
        weight = next(layer.parameters())
        self.head = nn.utils.skip_init(
            nn.Linear, size, output_size, device=weight.device, dtype=weight.dtype
        )
        with torch.no_grad():
            for parameter in self.head.parameters():
                parameter.uniform_(-1 / math.sqrt(size), 1 / math.sqrt(size), generator=generator)

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Outputs (B, C), or (B, T, C) of every step.

        Args:
            inputs: (B, T, D).
            lengths: (B,) of padded sequences, from 1 to T; T everywhere if None.
        """
        input_size = getattr(self.layer, "input_size", None)
        if input_size is not None:
            dtype = self.head.weight.dtype
            check_tensor("inputs", inputs, ("B", "T", input_size), dtype=dtype)
        if lengths is not None:
            check_lengths("lengths", lengths, *inputs.shape[:2])
        output = self._run(inputs, lengths)
        if self.readout == "last":
            output = self._ends(output, lengths)
        return self.head(output)

    def _run(self, inputs: Tensor, lengths: Tensor | None) -> Tensor:
        if lengths is None:
            result = self.layer(inputs)
        elif isinstance(self.layer, nn.RNNBase):
            packed = nn.utils.rnn.pack_padded_sequence(
                inputs, lengths.cpu(), batch_first=True, enforce_sorted=False
            )
            packed, _ = self.layer(packed)
            result, _ = nn.utils.rnn.pad_packed_sequence(
                packed, batch_first=True, total_length=inputs.shape[1]
            )
        else:
            result = self.layer(inputs, lengths=lengths)
        return result[0] if isinstance(result, tuple) else result

    def _ends(self, output: Tensor, lengths: Tensor | None) -> Tensor:
        last = last_of(output, lengths)
        backward = _backward_size(self.layer)
        if not backward:
            return last
        return torch.cat([last[:, :-backward], output[:, 0, -backward:]], 1)


@dataclass(frozen=True, eq=False)
class History:
    """What happened in training; arrays, so that a worker process can hand it back.

    Attributes:
        loss: training loss of every step, (steps,).
        grad_norm: norm of all gradients before clipping, (steps,).
        evaluated_at: steps made before each evaluation, (n,).
        score: the task's score at each evaluation, (n,); the last is that of the final model.
        diverged_at: step (from 0) of the first loss or gradient with NaN or Inf; None if none.
            Training stops there, before that step's update.
        diverged_tensor: what it was: ``"loss"``, or which entries of which gradient.
        stopped_at: steps made when ``stop_when`` was met; None if it was not.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.GRUCell(2, 8, generator=generator))
        >>> model = rn.SequenceModel(layer, 1, generator=generator)
        >>> sgd = torch.optim.SGD(model.parameters(), lr=0.01)
        >>> history = rn.fit(
        ...     model, rn.tasks.adding(10), steps=20, optimizer=sgd, evaluate_every=10, seed=0
        ... )
        >>> isinstance(history, rn.History), history.loss.shape, history.evaluated_at
        (True, (20,), array([10, 20]))
        >>> history.diverged_at is None
        True
    """

    loss: np.ndarray
    grad_norm: np.ndarray
    evaluated_at: np.ndarray
    score: np.ndarray
    diverged_at: int | None
    diverged_tensor: str | None
    stopped_at: int | None

    @property
    def steps(self) -> int:
        """The number of steps whose loss was computed."""
        return len(self.loss)

    @property
    def final_score(self) -> float:
        """The score of the model as training left it."""
        return float(self.score[-1])


def fit(
    model: nn.Module,
    task: Task,
    *,
    steps: int,
    batch_size: int = 32,
    optimizer: Optimizer,
    clip: Clip | None = None,
    seed: int,
    penalty: Callable[[nn.Module, Batch], Tensor] | None = None,
    evaluate_every: int | None = None,
    evaluation_size: int = 2000,
    stop_when: Callable[[float], bool] | None = None,
    monitor: GradientMonitor | None = None,
    callback: Callable[[int, nn.Module], None] | None = None,
    progress: bool = False,
) -> History:
    """Train a model on fresh batches of a task; the same seed gives the same history.

    The seed governs the batches, the evaluation set and what the model itself draws (dropout); the
    model's start is the caller's, and torch's global randomness is left as it was.

    Args:
        model: takes inputs (B, T, D), and ``lengths`` (B,) as a second argument where a batch is
            padded; gives what ``task.loss`` takes. Changed in place.
        task: where batches, loss and score come from.
        steps: updates to make, at least 1.
        batch_size: sequences in a batch, at least 1.
        optimizer: on the model's parameters, or a function from them to one, as
            ``functools.partial(torch.optim.Adam, lr=0.01)``.
        clip: largest norm of the gradient, above 0, or a function of the list of parameters that
            clips in place; none if None.
        seed: of everything random here, at least 0.
        penalty: of the model and the batch, added to the loss that is differentiated, not to the
            one that is recorded.
        evaluate_every: steps between evaluations; only at the end if None.
        evaluation_size: sequences of the evaluation set, the same at every evaluation.
        stop_when: of a score; training stops at the first evaluation at which it is true.
        monitor: observes every step, before the clipping.
        callback: called after every update with the step (from 0) and the model.
        progress: whether to show a progress bar.

    Returns:
        The record of every step and evaluation. Training that diverges ends early, and says where.

    Raises:
        ValueError: a number out of its range, or outputs that the task's loss does not take.
        TypeError: no module, task or monitor where one is due, or an ``optimizer`` that is neither
            an optimiser nor a function that makes one.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> layer = rn.Recurrent(rn.GRUCell(2, 8, generator=generator))
        >>> model = rn.SequenceModel(layer, 2, generator=generator)
        >>> task = rn.tasks.recall(length=3, symbols=2)
        >>> adam = torch.optim.Adam(model.parameters(), lr=0.03)
        >>> history = rn.fit(model, task, steps=50, optimizer=adam, clip=1.0, seed=0)
        >>> task.baseline(), history.final_score
        (0.5, 1.0)
    """
    check_module("model", model)
    check_is("task", task, Task)
    check_int("steps", steps)
    check_int("batch_size", batch_size)
    check_int("evaluation_size", evaluation_size)
    if evaluate_every is not None:
        check_int("evaluate_every", evaluate_every)
    if monitor is not None:
        check_is("monitor", monitor, GradientMonitor)
    for name, function in (
        ("penalty", penalty),
        ("stop_when", stop_when),
        ("callback", callback),
    ):
        if function is not None:
            check_callable(name, function)
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    parameters = [p for _, p in named]
    if not isinstance(optimizer, torch.optim.Optimizer):
        check_callable("optimizer", optimizer)
        optimizer = optimizer(parameters)
        check_is("optimizer", optimizer, torch.optim.Optimizer, "one that makes an Optimizer")
    data, model_seed, evaluation_seed = _streams(seed)
    losses: list[float] = []
    norms: list[float] = []
    evaluations: list[tuple[int, float]] = []
    diverged_at = diverged_tensor = stopped_at = None

    with _seeded(model_seed):
        model.train()
        for step in tqdm(range(steps), disable=not progress, leave=False):
            batch = task.sample(batch_size, data)
            optimizer.zero_grad()
            loss = task.loss(_output(model, batch), batch.targets)
            objective = loss if penalty is None else loss + penalty(model, batch)
            objective.backward()
            if monitor is not None:
                monitor.observe()
            losses.append(loss.item())
            norms.append(_clip(parameters, clip))
            if not math.isfinite(losses[-1]):
                diverged_at, diverged_tensor = step, "loss"
                break
            if not math.isfinite(norms[-1]):
                diverged_at, diverged_tensor = step, first_nonfinite(named)
                break
            optimizer.step()
            if callback is not None:
                callback(step, model)
            if evaluate_every is not None and (step + 1) % evaluate_every == 0:
                score = evaluate(model, task, size=evaluation_size, seed=evaluation_seed)
                evaluations.append((step + 1, score))
                if stop_when is not None and stop_when(score):
                    stopped_at = step + 1
                    break
    made = len(losses) - (diverged_at is not None)
    if not evaluations or evaluations[-1][0] != made:
        score = evaluate(model, task, size=evaluation_size, seed=evaluation_seed)
        evaluations.append((made, score))
        if stop_when is not None and stop_when(score):
            stopped_at = made
    return History(
        loss=np.array(losses),
        grad_norm=np.array(norms),
        evaluated_at=np.array([at for at, _ in evaluations]),
        score=np.array([score for _, score in evaluations]),
        diverged_at=diverged_at,
        diverged_tensor=diverged_tensor,
        stopped_at=stopped_at,
    )


def evaluate(model: nn.Module, task: Task, *, size: int = 10_000, seed: int) -> float:
    """The task's score of a model on ``size`` fresh sequences; the model's mode is kept.

    Args:
        model: as for :func:`fit`.
        task: where sequences and score come from.
        size: at least 1.
        seed: of the sequences, at least 0; equal seeds give equal ones.

    Returns:
        Accuracy from 0 to 1, or a mean squared error, as the task's ``metric`` says.

    Examples:
        >>> task = rn.tasks.latch(length=1, cue=1)  # the one input, -1 or 1, tells the class
        >>> linear = torch.nn.utils.skip_init(torch.nn.Linear, 1, 2, bias=False)
        >>> linear.weight.data = torch.tensor([[-1.0], [1.0]])
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), linear)
        >>> rn.evaluate(model, task, size=1000, seed=0), task.baseline()
        (1.0, 0.5)
    """
    check_module("model", model)
    check_is("task", task, Task)
    check_int("size", size)
    check_int("seed", seed, 0)
    generator = torch.Generator().manual_seed(seed)
    training = model.training
    model.eval()
    outputs, targets = [], []
    try:
        with torch.no_grad():
            for start in range(0, size, EVALUATION_BATCH):
                batch = task.sample(min(EVALUATION_BATCH, size - start), generator)
                outputs.append(_output(model, batch))
                targets.append(batch.targets)
    finally:
        model.train(training)
    return task.score(torch.cat(outputs), torch.cat(targets))


def _output(model: nn.Module, batch: Batch) -> Tensor:
    """The model's output for a batch, in the model's type, with lengths only where it is padded."""
    inputs = batch.inputs.to(next(model.parameters()).dtype)
    if bool((batch.lengths < inputs.shape[1]).any()):
        return model(inputs, batch.lengths)
    return model(inputs)


def _clip(parameters: list[nn.Parameter], clip: Clip | None) -> float:
    """Clip in place and return the norm before; a gradient that is not finite is left alone."""
    if clip is None or callable(clip):
        norm = gradient_norm(parameters)
        if clip is not None and math.isfinite(norm):
            clip(parameters)
        return norm
    return clip_norm_(parameters, clip, nonfinite="pass")


def _streams(seed: int) -> tuple[torch.Generator, int, int]:
    """Independent sources of randomness: the batches, the model, the evaluation set."""
    check_int("seed", seed, 0)
    parent = torch.Generator().manual_seed(seed)
    seeds = torch.randint(2**62, (3,), generator=parent).tolist()
    return torch.Generator().manual_seed(seeds[0]), seeds[1], seeds[2]


@contextmanager
def _seeded(seed: int):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _output_size(layer: nn.Module) -> int:
    if isinstance(layer, nn.RNNBase):
        return (layer.proj_size or layer.hidden_size) * (2 if layer.bidirectional else 1)
    size = getattr(layer, "output_size", None)
    if size is None:
        raise TypeError(
            "layer: expected a recurrent layer of torch.nn or one with an output_size, "
            f"got {type(layer).__name__}"
        )
    return size


def _backward_size(layer: nn.Module) -> int:
    """How many of the last outputs were computed from right to left."""
    if isinstance(layer, nn.RNNBase):
        return _output_size(layer) // 2 if layer.bidirectional else 0
    if isinstance(layer, Stacked):
        return _backward_size(layer.layers[-1])
    return layer.backward_cell.hidden_size if isinstance(layer, Bidirectional) else 0
