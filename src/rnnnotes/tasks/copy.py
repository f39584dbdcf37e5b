"""The copy problem: repeat a whole string after a long wait."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rnnnotes._checks import check_int
from rnnnotes.tasks.base import Batch, Task, full_lengths, one_hot


@dataclass(frozen=True)
class Copy(Task):
    """Inputs (B, length + 2 S, K + 2) one-hot; targets (B, length + 2 S), K for a blank.

    The loss counts every step, the score the last S alone, where the string is due.
    """

    length: int
    symbols: int
    copied: int
    name: ClassVar[str] = "copy"
    readout: ClassVar[Literal["all"]] = "all"

    def __post_init__(self) -> None:
        check_int("length", self.length, 1)
        check_int("symbols", self.symbols, 2)
        check_int("copied", self.copied, 1)

    @property
    def input_size(self) -> int:
        return self.symbols + 2

    @property
    def output_size(self) -> int:
        return self.symbols + 1

    def baseline(self) -> float:
        """1/K of the string is right by guessing one symbol throughout."""
        return 1.0 / self.symbols

    def baseline_loss(self) -> float:
        """``S ln(K) / (length + 2 S)`` nats: blanks for certain, then K even odds at S steps."""
        return self.copied * math.log(self.symbols) / (self.length + 2 * self.copied)

    def counted(self, per_step: Tensor) -> Tensor:
        return per_step[:, -self.copied :]

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        blank, delimiter = self.symbols, self.symbols + 1
        string = torch.randint(self.symbols, (batch_size, self.copied), generator=generator)
        wait = torch.full((batch_size, self.length + self.copied), blank)
        wait[:, self.length - 1] = delimiter
        inputs = one_hot(torch.cat([string, wait], 1), self.input_size)
        silence = torch.full((batch_size, self.copied + self.length), blank)
        return Batch(inputs, torch.cat([silence, string], 1), full_lengths(inputs))


def copy(length: int = 50, symbols: int = 8, copied: int = 10) -> Copy:
    """A string of S symbols, ``length`` steps of wait, the last one a signal, and the string again.

    Inputs (B, T, K + 2) are one-hot: K symbols, the blank and the signal; T is ``length`` and
    twice S. Targets (B, T) hold at each step the number of a symbol, K for the blank.

    The lag from a symbol to its copy is S + ``length``. Its baseline is 1/K, the accuracy of
    answering one symbol throughout; ``baseline_loss`` is what knowing the blanks costs, in nats.

    Args:
        length: steps of the wait, at least 1.
        symbols: K, drawn evenly, at least 2.
        copied: S, the string's length, at least 1.

    Examples:
        >>> task = rn.tasks.copy(length=3, symbols=4, copied=2)
        >>> batch = task.sample(1, torch.Generator().manual_seed(0))
        >>> batch.inputs.argmax(-1)[0, 2:]  # after the string: 4 is a blank, 5 the signal
        tensor([4, 4, 5, 4, 4])
        >>> torch.equal(batch.targets[0, -2:], batch.inputs.argmax(-1)[0, :2])
        True
        >>> task.baseline()
        0.25

    Source: Hochreiter & Schmidhuber 1997 in the form of Arjovsky, Shah & Bengio 2016, where
    K = 8 and S = 10.
    """
    return Copy(length, symbols, copied)
