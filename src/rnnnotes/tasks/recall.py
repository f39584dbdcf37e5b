"""The recall task: name the symbol of the first step after a long wait."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnnotes._checks import check_int, check_non_negative
from rnnnotes.tasks.base import Batch, Task, full_lengths, one_hot


@dataclass(frozen=True)
class Recall(Task):
    """Inputs (B, 1 + length, K): a symbol, then blank or noisy steps; target (B,): that symbol."""

    length: int
    symbols: int
    noise: float
    name: ClassVar[str] = "recall"

    def __post_init__(self) -> None:
        check_int("length", self.length, 0)
        check_int("symbols", self.symbols, 2)
        check_non_negative("noise", self.noise)

    @property
    def input_size(self) -> int:
        return self.symbols

    @property
    def output_size(self) -> int:
        return self.symbols

    def baseline(self) -> float:
        """1/K, since the K symbols are equally likely."""
        return 1.0 / self.symbols

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        symbol = torch.randint(self.symbols, (batch_size,), generator=generator)
        inputs = torch.zeros(batch_size, 1 + self.length, self.symbols)
        inputs[:, :1] = one_hot(symbol[:, None], self.symbols)
        if self.noise:
            inputs[:, 1:].normal_(0.0, self.noise, generator=generator)
        return Batch(inputs, symbol, full_lengths(inputs))


def recall(length: int = 20, symbols: int = 4, noise: float = 0.0) -> Recall:
    """One of K symbols at step 0, then ``length`` blank steps, then its name: a lag of ``length``.

    Inputs (B, 1 + ``length``, K) are one-hot at the first step; targets (B,) are the symbols'
    numbers. Its baseline is 1/K, the accuracy of guessing.

    Args:
        length: steps after the symbol, at least 0.
        symbols: K, equally likely, at least 2.
        noise: standard deviation of Gaussian noise on all K inputs of the steps that follow the
            symbol, at least 0 (0: blank).

    Examples:
        >>> task = rn.tasks.recall(length=3, symbols=4)
        >>> batch = task.sample(100, torch.Generator().manual_seed(0))
        >>> batch.inputs[batch.targets == 2][0]
        tensor([[0., 0., 1., 0.],
                [0., 0., 0., 0.],
                [0., 0., 0., 0.],
                [0., 0., 0., 0.]])
        >>> task.baseline()
        0.25

    Source: the latching task of Bengio, Simard & Frasconi 1994 (see ``latch``) with K classes, told
    by one step.
    """
    return Recall(length, symbols, noise)
