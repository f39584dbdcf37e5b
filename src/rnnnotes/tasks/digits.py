"""Handwritten digits of 8 x 8 pixels: one set of images, read whole, by row or by pixel."""

from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from rnnnotes._checks import check_choice, check_int
from rnnnotes.tasks.base import Batch, Task, full_lengths

SIDE = 8
SHAPES = {"image": (1, SIDE, SIDE), "pixels": (SIDE * SIDE, 1), "rows": (SIDE, SIDE)}
PARTS = ("train", "held_out")
HELD_OUT = 360  # of 1797 images, one in five
BRIGHTEST = 16.0


@dataclass(frozen=True)
class Digits(Task):
    """Inputs (B, 64, 1), (B, 8, 8) or (B, 1, 8, 8), from 0 to 1; target (B,): the digit.

    ``sample`` draws images of its part with replacement; :meth:`images` gives all of them.
    """

    view: str
    part: str
    split: int
    name: ClassVar[str] = "digits"

    def __post_init__(self) -> None:
        check_choice("view", self.view, SHAPES)
        check_choice("part", self.part, PARTS)
        check_int("split", self.split, 0)

    @property
    def length(self) -> int:
        """T: 64 pixels or 8 rows; 1 for an image, which is no sequence."""
        return SHAPES[self.view][0]

    @property
    def input_size(self) -> int:
        """Numbers in a step, 1 or 8; in an image, its one channel."""
        return 1 if self.view == "image" else SHAPES[self.view][1]

    @property
    def output_size(self) -> int:
        return 10

    def baseline(self) -> float:
        """The share, in this part, of the digit that is the commonest in the training part."""
        targets = {part: _part(part, self.split)[1] for part in PARTS}
        majority = torch.bincount(targets["train"], minlength=self.output_size).argmax()
        return (targets[self.part] == majority).double().mean().item()

    def images(self) -> Batch:
        """Every image of this part, once, in an order of no meaning."""
        return self._batch(slice(None))

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        count = len(_part(self.part, self.split)[1])
        return self._batch(torch.randint(count, (batch_size,), generator=generator))

    def _batch(self, which: Tensor | slice) -> Batch:
        images, targets = (of_all[which] for of_all in _part(self.part, self.split))
        inputs = images.reshape(-1, *SHAPES[self.view])
        return Batch(inputs, targets, full_lengths(inputs))


def digits(view: str = "pixels", part: str = "train", split: int = 0) -> Digits:
    """Which of ten digits is it? 1797 images, as scikit-learn brings them; nothing is downloaded.

    Needs scikit-learn, which comes with the extra ``site``. Inputs are grey values from 0 to 1, one
    a step for pixels, eight for rows; targets (B,) are the digits. Its baseline is the accuracy of
    always answering the digit that is the commonest in the training part.

    Args:
        view: ``"pixels"``, (B, 64, 1), one after the other by rows; ``"rows"``, (B, 8, 8), from the
            top; or ``"image"``, (B, 1, 8, 8), for a convolution.
        part: ``"train"`` (1437 images) or ``"held_out"`` (360).
        split: seed of the division into parts, at least 0; the same for every view.

    Examples:
        >>> train, held_out = rn.tasks.digits("rows"), rn.tasks.digits("rows", "held_out")
        >>> train.images().inputs.shape, held_out.images().inputs.shape
        (torch.Size([1437, 8, 8]), torch.Size([360, 8, 8]))
        >>> 0.05 < held_out.baseline() < 0.15  # of ten digits
        True

    Source: Alpaydin and Kaynak, Optical recognition of handwritten digits, UCI repository, 1998;
    the test set of it.
    """
    return Digits(view, part, split)


@lru_cache(maxsize=8)
def _part(part: str, split: int) -> tuple[Tensor, Tensor]:
    """Images (N, 8, 8) float32 from 0 to 1, and the digits (N,) long."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "digits: expected scikit-learn, found none; pip install 'rnnnotes[site]' brings it"
        ) from error
    loaded = load_digits()
    order = torch.randperm(len(loaded.target), generator=torch.Generator().manual_seed(split))
    which = order[:-HELD_OUT] if part == "train" else order[-HELD_OUT:]
    images = torch.from_numpy(loaded.images).float() / BRIGHTEST
    return images[which], torch.from_numpy(loaded.target).long()[which]
