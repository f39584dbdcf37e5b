"""The sentiment grammar: "terribly exciting", where a word's meaning stands to its right."""

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from rnnnotes._checks import check_choice, check_int, check_number
from rnnnotes.tasks.base import IGNORED, Batch, Task, full_lengths, one_hot

NEGATIVE, POSITIVE = 0, 1
NOUNS = ("movie", "plot", "ending", "cast")
INTENSIFIERS = (("terribly", "awfully"), ("wonderfully", "incredibly"))  # by the way they lean
ADJECTIVES = (("boring", "dull", "tedious"), ("exciting", "moving", "funny"))
CONJUNCTIONS = ("and", "but")
WORDS = ("the", *NOUNS, "was", *sum(INTENSIFIERS, ()), *sum(ADJECTIVES, ()), *CONJUNCTIONS)


@dataclass(frozen=True)
class Sentiment(Task):
    """Inputs (B, T, D) one-hot words; targets (B, T): 0 or 1 at each intensifier, else ignored."""

    clauses: int
    intensifiers: int
    lean: float
    keep: float
    name: ClassVar[str] = "sentiment"
    readout: ClassVar[Literal["all"]] = "all"
    words: ClassVar[tuple[str, ...]] = WORDS

    def __post_init__(self) -> None:
        check_int("clauses", self.clauses, 1)
        check_int("intensifiers", self.intensifiers, 1)
        check_number("lean", self.lean, at_least=0.5, at_most=1)
        check_number("keep", self.keep, at_least=0.5, at_most=1)

    @property
    def length(self) -> int:
        """T: "the movie was", the clauses and the words between them."""
        return 3 + self.clauses * (self.intensifiers + 2) - 1

    @property
    def input_size(self) -> int:
        return len(WORDS)

    @property
    def output_size(self) -> int:
        return 2

    def baseline(self) -> float:
        """1/2, since the first adjective is drawn evenly and all else turns with it."""
        return 0.5

    def ceiling(self, context: str = "left") -> float:
        """The accuracy that no predictor of that context can exceed in expectation, exactly.

        For ``"left"`` it is the best guess of each intensifier's sentiment from the words up to it.
        That is the sum, over all that can stand there, of the larger of both joint probabilities:
        sum_w max_s P(s) P(w_1 | s) ... P(w_j | s), with P(s) 1/2 in the first clause, and
        ``keep`` for the sentiment that the conjunction announces in the others.

        Args:
            context: ``"left"``: the words up to the intensifier; ``"both"``: all words, which makes
                it 1, since the adjective follows.
        """
        check_choice("context", context, ("left", "both"))
        if context == "both":
            return 1.0
        priors = [0.5] + [self.keep] * (self.clauses - 1)
        places = [
            self._best_guess(prior, seen)
            for prior in priors
            for seen in range(1, self.intensifiers + 1)
        ]
        return sum(places) / len(places)

    def text(self, inputs: Tensor) -> list[str]:
        """The sentences of a batch (B, T, D) in words."""
        return [" ".join(WORDS[i] for i in row) for row in inputs.argmax(-1).tolist()]

    def _best_guess(self, prior: float, seen: int) -> float:
        """P(right) of the likelier of two sentiments, the first of probability ``prior``."""
        return sum(
            max(
                prior * prod(self.lean if same else 1 - self.lean for same in leanings),
                (1 - prior) * prod(1 - self.lean if same else self.lean for same in leanings),
            )
            for leanings in product((True, False), repeat=seen)
        )

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        def chance(probability: float, count: int = 1) -> Tensor:
            drawn = torch.rand(batch_size, count, generator=generator, dtype=torch.float64)
            return (drawn < probability).long()

        def pick(groups: tuple[tuple[str, ...], ...], group: Tensor) -> Tensor:
            ids = torch.tensor([[WORDS.index(word) for word in words] for words in groups])
            which = torch.randint(ids.shape[1], group.shape, generator=generator)
            return ids[group, which]

        one = torch.zeros(batch_size, 1, dtype=torch.long)
        nothing = torch.full((batch_size, 1), IGNORED)
        parts = [one + WORDS.index("the"), pick((NOUNS,), one), one + WORDS.index("was")]
        targets = [nothing] * len(parts)
        sentiment = chance(0.5)
        for clause in range(self.clauses):
            if clause:
                contrast = chance(0.5)
                parts.append(one + WORDS.index("and") + contrast)
                targets.append(nothing)
                sentiment = (sentiment + contrast + chance(1 - self.keep)) % 2
            against = chance(1 - self.lean, self.intensifiers)
            parts += [pick(INTENSIFIERS, (sentiment + against) % 2), pick(ADJECTIVES, sentiment)]
            targets += [sentiment.expand(-1, self.intensifiers), nothing]
        inputs = one_hot(torch.cat(parts, 1), len(WORDS))
        return Batch(inputs, torch.cat(targets, 1), full_lengths(inputs))


def sentiment(
    clauses: int = 2, intensifiers: int = 1, lean: float = 0.7, keep: float = 0.8
) -> Sentiment:
    """In "the movie was terribly exciting", what sentiment has "terribly"? The next words tell.

    The answer, due at every intensifier, is the sentiment of the adjective that follows its group.
    "terribly" and "awfully" lean to the negative, "wonderfully" and "incredibly" to the positive.
    A clause after "and" has the sentiment of the one before, one after "but" the other.

    Inputs (B, T, D) are one-hot at each step, a word of D; targets (B, T) are, at an intensifier, 1
    for a positive sentiment or 0 for a negative one, and -100 where no answer is due.

    Its baseline is 1/2, the accuracy of guessing; ``ceiling("left")`` is the best that a reader
    from the left can do, ``ceiling("both")`` is 1.

    Args:
        clauses: at least 1.
        intensifiers: before each adjective, at least 1.
        lean: probability that an intensifier's own colour agrees with its adjective, from 0.5 to 1.
        keep: probability that a clause does as its conjunction says, from 0.5 to 1.

    Examples:
        >>> task = rn.tasks.sentiment(clauses=1, lean=0.7)
        >>> batch = task.sample(2, torch.Generator().manual_seed(0))
        >>> len(task.text(batch.inputs)[0].split())  # such as "the movie was terribly exciting"
        5
        >>> (batch.targets != -100).sum(1)  # an answer is due at the intensifier alone
        tensor([1, 1])
        >>> task.baseline(), task.ceiling("left"), task.ceiling("both")
        (0.5, 0.7, 1.0)
    """
    return Sentiment(clauses, intensifiers, lean, keep)
