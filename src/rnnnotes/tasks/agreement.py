"""Agreement: the verb takes its number from a far subject, whatever nouns stand nearer."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rnnnotes._checks import check_choice, check_int, check_probability
from rnnnotes.tasks.base import Batch, Task, full_lengths, one_hot

SINGULAR, PLURAL = 0, 1
NOUNS = (
    ("writer", "writers"),
    ("book", "books"),
    ("teacher", "teachers"),
    ("letter", "letters"),
    ("friend", "friends"),
    ("house", "houses"),
)
PREPOSITIONS = ("of", "near", "behind")
ADJECTIVES = ("old", "red", "famous", "quiet")
ADVERBS = ("today", "usually", "really", "often")
WORDS = ("the", *(form for noun in NOUNS for form in noun), *PREPOSITIONS, *ADJECTIVES, *ADVERBS)
VERBS = ("is", "are")
PREDICTORS = ("majority", "nearest noun", "subject")
PHRASE = 3  # words of an attractor phrase without adjectives: "of the books"


@dataclass(frozen=True)
class Agreement(Task):
    """Inputs (B, 2 + distance, D) one-hot words before the verb; target (B,): 0 "is", 1 "are"."""

    distance: int
    attractors: int
    mismatch: float
    plural: float
    name: ClassVar[str] = "agreement"
    words: ClassVar[tuple[str, ...]] = WORDS
    verbs: ClassVar[tuple[str, ...]] = VERBS

    def __post_init__(self) -> None:
        check_int("distance", self.distance, 0)
        check_int("attractors", self.attractors, 0)
        check_probability("mismatch", self.mismatch)
        check_probability("plural", self.plural)
        if self.distance < PHRASE * self.attractors:
            raise ValueError(
                f"distance: expected at least {PHRASE} words for each of {self.attractors} "
                f"attractors, that is {PHRASE * self.attractors}, got {self.distance}"
            )

    @property
    def length(self) -> int:
        """T: the article, the subject and the words between subject and verb."""
        return 2 + self.distance

    @property
    def input_size(self) -> int:
        return len(WORDS)

    @property
    def output_size(self) -> int:
        return len(VERBS)

    def baseline(self, predictor: str = "majority") -> float:
        """The accuracy of a predictor that does not follow the grammar, from the probabilities.

        Args:
            predictor: ``"majority"``: the commoner verb. ``"nearest noun"``: the number of the last
                noun before the verb, wrong if that is an attractor that mismatches.
                ``"subject"``: the ceiling.
        """
        check_choice("predictor", predictor, PREDICTORS)
        if predictor == "majority":
            return max(self.plural, 1.0 - self.plural)
        if predictor == "nearest noun" and self.attractors:
            return 1.0 - self.mismatch
        return self.ceiling()

    def ceiling(self) -> float:
        """1: the subject is in the sentence and settles the verb."""
        return 1.0

    def nearest_noun(self, inputs: Tensor) -> Tensor:
        """The number (B,) of the last noun of each sentence (B, T, D): 0 singular, 1 plural."""
        number = torch.full((len(WORDS),), -1)
        for forms in NOUNS:
            for value, form in enumerate(forms):
                number[WORDS.index(form)] = value
        numbers = number[inputs.argmax(-1)]
        last = (torch.arange(inputs.shape[1]) * (numbers >= 0)).argmax(1, keepdim=True)
        return numbers.gather(1, last)[:, 0]

    def text(self, inputs: Tensor) -> list[str]:
        """The sentences of a batch (B, T, D) in words."""
        return [" ".join(WORDS[i] for i in row) for row in inputs.argmax(-1).tolist()]

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        def pick(words: tuple[str, ...], count: int) -> Tensor:
            ids = torch.tensor([WORDS.index(word) for word in words])
            return ids[torch.randint(len(words), (batch_size, count), generator=generator)]

        def chance(probability: float, count: int) -> Tensor:
            drawn = torch.rand(batch_size, count, generator=generator, dtype=torch.float64)
            return (drawn < probability).long()

        def nouns(numbers: Tensor) -> Tensor:
            # The forms of a noun stand side by side, so that the plural is one further.
            return pick(tuple(forms[SINGULAR] for forms in NOUNS), numbers.shape[1]) + numbers

        the = torch.full((batch_size, 1), WORDS.index("the"))
        subject = chance(self.plural, 1)
        parts = [the, nouns(subject)]
        if not self.attractors:
            parts.append(pick(ADVERBS, self.distance))
        attractors = nouns((subject + chance(self.mismatch, self.attractors)) % 2)
        prepositions = pick(PREPOSITIONS, self.attractors)
        spare = self.distance - PHRASE * self.attractors
        for i in range(self.attractors):
            # The spare words are shared out evenly, the first phrases taking what is left over.
            adjectives = spare // self.attractors + (i < spare % self.attractors)
            parts += [prepositions[:, i : i + 1], the, pick(ADJECTIVES, adjectives)]
            parts.append(attractors[:, i : i + 1])
        inputs = one_hot(torch.cat(parts, 1), len(WORDS))
        return Batch(inputs, subject[:, 0], full_lengths(inputs))


def agreement(
    distance: int = 3, attractors: int = 1, mismatch: float = 0.25, plural: float = 0.5
) -> Agreement:
    """After "the writer of the old books", "is": the subject's number, not that of a nearer noun.

    Inputs (B, T, D) are one-hot at each step, a word of D; targets (B,) are 0 for a singular
    subject and 1 for a plural one. Its baseline is the accuracy of always answering the commoner
    verb, 1/2 unless ``plural`` is given; following the nearest noun is wrong with probability
    ``mismatch``.

    Args:
        distance: words between the subject and the verb, at least 3 for each attractor. What the
            phrases leave is filled up with adjectives, or with adverbs if there is no attractor.
        attractors: phrases with a nearer noun, as "of the books", at least 0.
        mismatch: probability that an attractor differs in number from the subject, from 0 to 1.
        plural: probability that the subject is plural, from 0 to 1.

    Raises:
        ValueError: too few words for the attractors.

    Examples:
        >>> task = rn.tasks.agreement(distance=4, attractors=1, mismatch=0.25)
        >>> batch = task.sample(2, torch.Generator().manual_seed(0))
        >>> len(task.text(batch.inputs)[0].split())  # such as "the writer of the old books"
        6
        >>> task.verbs
        ('is', 'are')
        >>> task.baseline("majority"), task.baseline("nearest noun"), task.ceiling()
        (0.5, 0.75, 1.0)

    Source: Linzen, Dupoux & Goldberg 2016, as an artificial grammar.
    """
    return Agreement(distance, attractors, mismatch, plural)
