"""What a task is: it samples batches, scores outputs and knows what a trivial predictor scores."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from rnnnotes._checks import check_generator, check_int, check_tensor

IGNORED = -100  # the target of a position that counts neither in the loss nor in the score


class Batch(NamedTuple):
    """Sequences with their answers.

    Attributes:
        inputs: (B, T, D), zero beyond a sequence's length.
        targets: (B,) or (B, 1) for one answer per sequence, (B, T) for one per step.
        lengths: (B,) long, the steps of each sequence.

    Examples:
        >>> inputs = torch.zeros(2, 5, 3)  # two sequences, the second with 4 steps
        >>> targets, lengths = torch.tensor([0, 1]), torch.tensor([5, 4])
        >>> batch = rn.tasks.Batch(inputs, targets, lengths)
        >>> batch.inputs.shape, batch.targets.shape, batch.lengths
        (torch.Size([2, 5, 3]), torch.Size([2]), tensor([5, 4]))
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor


class Task(ABC):
    """A task: frozen, picklable, with its own distribution of sequences and its own score.

    Attributes:
        name: of the task, in a word or two.
        readout: where the answer is due: ``"last"`` (after the last step) or ``"all"`` (at every
            step).
        metric: ``"accuracy"`` (targets are class numbers, the loss is the cross-entropy in nats) or
            ``"mse"`` (targets are real, loss and score are the mean squared error).
        length: of the sequences, in steps, as the task counts it.

    Examples:
        >>> task = rn.tasks.adding(length=50)
        >>> isinstance(task, rn.tasks.Task), task.input_size, task.output_size
        (True, 2, 1)
        >>> inputs, targets, lengths = task.sample(10_000, torch.Generator().manual_seed(0))
        >>> always_one = torch.ones(10_000, 1)  # the mean, without a look at the inputs
        >>> round(task.score(always_one, targets), 2), round(task.baseline(), 2)
        (0.17, 0.17)
        >>> task.is_better(0.01, than=task.baseline())
        True
    """

    name: ClassVar[str]
    readout: ClassVar[Literal["last", "all"]] = "last"
    metric: ClassVar[Literal["accuracy", "mse"]] = "accuracy"
    length: int

    @property
    @abstractmethod
    def input_size(self) -> int:
        """D, the number of input features per step."""

    @property
    @abstractmethod
    def output_size(self) -> int:
        """The number of outputs: classes, or real values."""

    @abstractmethod
    def baseline(self) -> float:
        """The score of the best predictor that ignores the input, from the task's distribution."""

    @abstractmethod
    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        """A batch, with the arguments already checked."""

    def sample(self, batch_size: int, generator: torch.Generator) -> Batch:
        """Independent sequences with their answers; equal generators give equal batches.

        Args:
            batch_size: B, at least 1.
            generator: source of randomness.
        """
        check_int("batch_size", batch_size)
        check_generator("generator", generator)
        return self._draw(batch_size, generator)

    def loss(self, output: Tensor, targets: Tensor) -> Tensor:
        """The scalar to minimise: cross-entropy in nats, or mean squared error.

        Args:
            output: (B, C) for ``readout="last"``, (B, T, C) for ``"all"``.
            targets: of a batch: (B,) or (B, 1), or (B, T).
        """
        self._check_output(output, targets)
        if self.metric == "mse":
            return F.mse_loss(output, targets.to(output.dtype))
        return F.cross_entropy(output.flatten(0, -2), targets.flatten(), ignore_index=IGNORED)

    def score(self, output: Tensor, targets: Tensor) -> float:
        """Accuracy in [0, 1] over the answers that count, or mean squared error.

        An answer with NaN in it is wrong; a squared error is NaN.

        Args:
            output: (B, C) for ``readout="last"``, (B, T, C) for ``"all"``.
            targets: of a batch: (B,) or (B, 1), or (B, T).
        """
        self._check_output(output, targets)
        if self.metric == "mse":
            return (output.detach().double() - targets.double()).square().mean().item()
        # The largest of numbers and NaN would be an answer by luck.
        no_answer = output.isnan().any(-1)
        answers = self.counted(output.detach().argmax(-1).masked_fill(no_answer, IGNORED))
        targets = self.counted(targets)
        counted = targets != IGNORED
        return ((answers == targets) & counted).sum().item() / counted.sum().item()

    def counted(self, per_step: Tensor) -> Tensor:
        """Those of the answers that the score counts; all, unless a task says otherwise.

        Args:
            per_step: (B,), or (B, T) of every step.
        """
        return per_step

    def is_better(self, score: float, than: float) -> bool:
        """Whether one score beats another: higher for accuracy, lower for squared error.

        Args:
            score: the one.
            than: the other.
        """
        return score < than if self.metric == "mse" else score > than

    def _check_output(self, output: Tensor, targets: Tensor) -> None:
        real = self.metric == "mse"
        steps = ("T",) if self.readout == "all" else ()
        check_tensor("output", output, dtype="floating")
        check_tensor(
            "targets",
            targets,
            ("B", *steps, self.output_size) if real else ("B", *steps),
            dtype=None if real else "integer",
        )
        expected = (*targets.shape[: 1 + len(steps)], self.output_size)
        if tuple(output.shape) != expected:
            raise ValueError(
                f"{self.name}: output: expected shape {expected} (readout={self.readout!r}), "
                f"got {tuple(output.shape)}"
            )


def full_lengths(inputs: Tensor) -> Tensor:
    """The lengths (B,) of a batch (B, T, D) without padding."""
    return torch.full((inputs.shape[0],), inputs.shape[1], dtype=torch.long)


def one_hot(symbols: Tensor, size: int) -> Tensor:
    """Symbols (B, T) as float32 vectors (B, T, size) with a single one."""
    return F.one_hot(symbols, size).float()
