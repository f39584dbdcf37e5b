"""The latching task: keep one bit, told at the start, through noise."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnnotes._checks import check_int, check_non_negative
from rnnnotes.tasks.base import Batch, Task, full_lengths

CLASSES = 2


@dataclass(frozen=True)
class Latch(Task):
    """Inputs (B, T, 1): -1 or 1 for the class, then noise; target (B,): the class, 0 or 1."""

    length: int
    cue: int
    noise: float
    name: ClassVar[str] = "latch"

    def __post_init__(self) -> None:
        check_int("cue", self.cue)
        check_int("length", self.length, self.cue)
        check_non_negative("noise", self.noise)

    @property
    def input_size(self) -> int:
        return 1

    @property
    def output_size(self) -> int:
        return CLASSES

    def baseline(self) -> float:
        """1/2, since the two classes are equally likely."""
        return 1.0 / CLASSES

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        bit = torch.randint(CLASSES, (batch_size,), generator=generator)
        inputs = torch.empty(batch_size, self.length, 1)
        inputs[:, : self.cue] = (2.0 * bit - 1.0)[:, None, None]
        inputs[:, self.cue :].normal_(0.0, self.noise, generator=generator)
        return Batch(inputs, bit, full_lengths(inputs))


def latch(length: int = 20, cue: int = 3, noise: float = 0.2) -> Latch:
    """One of two classes, told by the first L of T inputs; then Gaussian noise; then its number.

    ``u_t = 2 y - 1`` at the first L steps, y the class, 0 or 1, equally likely; after them noise of
    mean 0. Inputs are (B, T, 1), targets (B,), the class. Its baseline is 1/2, the accuracy of
    guessing.

    Args:
        length: T, the steps in all, at least L.
        cue: L, the steps that tell the class, at least 1.
        noise: standard deviation of the noise, at least 0 (0: blank).

    Examples:
        >>> task = rn.tasks.latch(length=6, cue=2, noise=0.0)
        >>> batch = task.sample(50, torch.Generator().manual_seed(0))
        >>> batch.inputs[batch.targets == 1][0].flatten()
        tensor([1., 1., 0., 0., 0., 0.])
        >>> batch.inputs[batch.targets == 0][0].flatten()
        tensor([-1., -1.,  0.,  0.,  0.,  0.])
        >>> task.baseline()
        0.5

    Source: Bengio, Simard & Frasconi, Learning long-term dependencies with gradient descent is
    difficult, 1994, the minimal task, whose cue is learnt along with the weights; here it is given,
    as in Schmidhuber, Hochreiter & Bengio, Evaluating benchmark problems by random guessing, 2001.
    """
    return Latch(length, cue, noise)
