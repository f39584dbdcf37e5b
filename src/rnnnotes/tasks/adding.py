"""The adding problem: two marked numbers among many, their sum at the end."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from rnnnotes._checks import check_int
from rnnnotes.tasks.base import Batch, Task, full_lengths

MARKED = 2


@dataclass(frozen=True)
class Adding(Task):
    """Inputs (B, T, 2): a number U(0, 1) and a mark; target (B, 1): the sum of the two marked."""

    length: int
    name: ClassVar[str] = "adding"
    metric: ClassVar[Literal["mse"]] = "mse"

    def __post_init__(self) -> None:
        check_int("length", self.length, MARKED)

    @property
    def input_size(self) -> int:
        return 2

    @property
    def output_size(self) -> int:
        return 1

    def baseline(self) -> float:
        """Var(u_1 + u_2) of two independent U(0, 1): what answering the mean, 1, scores."""
        variance_of_one = (1.0 - 0.0) ** 2 / 12.0
        return MARKED * variance_of_one

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        numbers = torch.rand(batch_size, self.length, generator=generator)
        half = self.length // 2
        first = torch.randint(0, half, (batch_size, 1), generator=generator)
        second = torch.randint(half, self.length, (batch_size, 1), generator=generator)
        marks = torch.zeros(batch_size, self.length)
        marks.scatter_(1, torch.cat([first, second], 1), 1.0)
        inputs = torch.stack([numbers, marks], -1)
        return Batch(inputs, (numbers * marks).sum(1, keepdim=True), full_lengths(inputs))


def adding(length: int = 100) -> Adding:
    """The adding problem: ``y = u_i + u_j``, i marked in the first half and j in the second.

    Inputs (B, T, 2) hold at each step a number, U(0, 1), and a mark, 1 at the two steps and 0
    elsewhere; targets (B, 1) are the sums. Its baseline is the mean squared error of always
    answering 1, which is 1/6.

    Args:
        length: T, at least 2.

    Examples:
        >>> task = rn.tasks.adding(length=8)
        >>> batch = task.sample(4, torch.Generator().manual_seed(0))
        >>> numbers, marks = batch.inputs.unbind(-1)
        >>> marks.sum(1)
        tensor([2., 2., 2., 2.])
        >>> torch.allclose(batch.targets[:, 0], (numbers * marks).sum(1))
        True
        >>> round(1 / task.baseline(), 6)  # it is 1/6
        6.0

    Source: Hochreiter & Schmidhuber 1997, experiment 4 (there with numbers in [-1, 1]), in the form
    of Le, Jaitly & Hinton 2015.
    """
    return Adding(length)
