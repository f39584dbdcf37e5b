"""The temporal order problem: which of two symbols came first, among many distractors."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from rnnnotes._checks import check_choice, check_int
from rnnnotes.tasks.base import Batch, Task, one_hot

RULES = ("hochreiter", "pascanu")
DISTRACTORS = 4
X, Y = 0, 1  # the two symbols whose order counts; the distractors follow, then start and end


@dataclass(frozen=True)
class TemporalOrder(Task):
    """Inputs (B, T, 6 or 8) one-hot; target (B,) ``2 first + second``, each 0 for X and 1 for Y."""

    length: int
    rule: str
    name: ClassVar[str] = "temporal order"

    def __post_init__(self) -> None:
        check_int("length", self.length, 10)
        check_choice("rule", self.rule, RULES)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The names of the input channels."""
        ends = ("E", "B") if self.rule == "hochreiter" else ()
        return ("X", "Y", "a", "b", "c", "d", *ends)

    @property
    def input_size(self) -> int:
        return len(self.symbols)

    @property
    def output_size(self) -> int:
        return 4

    @property
    def windows(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The first and last step (counted from 0) at which either symbol may stand."""
        tenth = self.length / 10
        first = (int(tenth), int(2 * tenth))
        second = (int(5 * tenth), int(6 * tenth))
        if self.rule == "hochreiter":
            return first, second
        return (first[0], first[0] + int(tenth) - 1), (second[0], second[0] + int(tenth) - 1)

    def baseline(self) -> float:
        """1/4, since the two symbols are drawn independently and evenly."""
        return (1 / 2) * (1 / 2)

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        def draw(low: int, high: int) -> torch.Tensor:
            return torch.randint(low, high + 1, (batch_size, 1), generator=generator)

        paper = self.rule == "hochreiter"
        longest = self.length + self.length // 10 if paper else self.length
        lengths = draw(self.length, longest)
        symbols = torch.randint(2, 2 + DISTRACTORS, (batch_size, longest), generator=generator)
        where = torch.cat([draw(*window) for window in self.windows], 1)
        what = torch.cat([draw(X, Y), draw(X, Y)], 1)
        symbols.scatter_(1, where, what)
        if paper:
            symbols[:, 0] = self.symbols.index("E")
            symbols.scatter_(1, lengths - 1, self.symbols.index("B"))
        inputs = one_hot(symbols, self.input_size)
        inputs = inputs * (torch.arange(longest) < lengths)[..., None]
        return Batch(inputs, 2 * what[:, 0] + what[:, 1], lengths[:, 0])


def temporal_order(length: int = 100, rule: str = "pascanu") -> TemporalOrder:
    """Two symbols, each X or Y, far apart among distractors; the class is their order: XX XY YX YY.

    Inputs (B, T, 6), or (B, T, 8), are one-hot at each step, in the order of ``task.symbols``;
    targets (B,) are the classes, from 0 to 3. Its baseline is 1/4, the accuracy of
    guessing.

    Args:
        length: T, at least 10.
        rule: ``"hochreiter"``: 8 symbols, the start E and the trigger B at the ends, T drawn evenly
            from ``length`` to 1.1 ``length``, the two symbols at steps [T/10, 2T/10] and [5T/10,
            6T/10] of ``length`` (100: 10 to 20 and 50 to 60). ``"pascanu"``: 6 symbols, T =
            ``length``, the same places without their last step.

    Examples:
        >>> task = rn.tasks.temporal_order(length=50)
        >>> task.windows, task.baseline()
        (((5, 9), (25, 29)), 0.25)
        >>> batch = task.sample(200, torch.Generator().manual_seed(0))
        >>> first = batch.inputs[:, 5:10, 1].sum(1)  # 0 for X, 1 for Y
        >>> second = batch.inputs[:, 25:30, 1].sum(1)
        >>> bool((batch.targets == 2 * first + second).all())
        True

    Source: Hochreiter & Schmidhuber 1997, experiment 6a; Pascanu, Mikolov & Bengio 2013, whose
    text puts the second symbol at [4T/10, 5T/10] and whose published code has it here.
    """
    return TemporalOrder(length, rule)
