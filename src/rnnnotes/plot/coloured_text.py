"""Text whose characters are tinted by a value, as HTML that stays readable without colour."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

from rnnnotes._checks import check_is

from .arrays import plain

LEVELS = 9


class ColouredText:
    """Characters, or tokens, each tinted by its value; a notebook shows it as HTML.

    ``level = floor(9 (value - low) / (high - low))``, kept within 0 to 8: nine shades of one width.
    The HTML has no style of its own. Its classes are ``rn-heat`` and one of ``rn-heat-sequential``
    and ``rn-heat-diverging`` on the whole, and ``rn-heat-0`` to ``rn-heat-8`` on stretches of text.

    Args:
        characters: a string, or a sequence of n strings.
        values: (n,), array, tensor or list. NaN leaves its character plain.
        limits: (low, high); None takes the smallest and the largest value, and for a diverging
            scale the largest size either way.
        diverging: two hues from a plain middle, for values with a sign.
        meaning: what the values are, written under the text.

    Attributes:
        texts: n strings.
        levels: n levels, None for NaN.
        limits: (low, high).

    Raises:
        TypeError: characters that are not strings.
        ValueError: lengths that differ, values that are infinite, limits that are not in order.

    Examples:
        >>> text = rn.plot.ColouredText("abc", [0.0, 0.5, 1.0], meaning="how sure")
        >>> text.levels  # of nine shades
        (0, 4, 8)
        >>> text
        abc
        (how sure: 0 to 1)
    """

    def __init__(
        self,
        characters: Sequence[str],
        values: ArrayLike,
        *,
        limits: tuple[float, float] | None = None,
        diverging: bool = False,
        meaning: str = "value",
    ) -> None:
        check_is("characters", characters, Sequence, "a string or a sequence of strings")
        for index, text in enumerate(characters):
            check_is(f"characters[{index}]", text, str)
        values = plain("values", values)
        if values.shape != (len(characters),):
            raise ValueError(f"values: expected shape ({len(characters)},), got {values.shape}")
        known = values[~np.isnan(values)]
        if not np.isfinite(known).all():
            raise ValueError("values: expected finite numbers or NaN, got Inf")
        limits = _limits(known, diverging) if limits is None else plain("limits", limits)
        if np.shape(limits) != (2,):
            raise ValueError(f"limits: expected (low, high), got {limits!r}")
        low, high = limits
        if not low < high:
            raise ValueError(f"limits: expected low below high, got {low} and {high}")
        shares = LEVELS * (values - low) / (high - low)
        self.texts = tuple(characters)
        self.levels = tuple(
            None if np.isnan(share) else int(np.clip(share, 0, LEVELS - 1)) for share in shares
        )
        self.limits = (float(low), float(high))
        self.diverging = diverging
        self.meaning = meaning

    def __str__(self) -> str:
        return "".join(self.texts)

    def __repr__(self) -> str:
        low, high = self.limits
        return f"{self}\n({self.meaning}: {low:.3g} to {high:.3g})"

    def _repr_html_(self) -> str:
        kind = "diverging" if self.diverging else "sequential"
        pairs = zip(self.levels, self.texts, strict=True)
        body = "".join(
            _span(level, "".join(text for _, text in stretch))
            for level, stretch in groupby(pairs, key=lambda pair: pair[0])
        )
        low, high = (f"{limit:.3g}".replace("-", "−") for limit in self.limits)
        return (
            f'<div class="rn-heat rn-heat-{kind}">'
            f'<pre class="rn-heat-text">{body}</pre>'
            f"{scale_of(self.meaning, low, high)}"
            "</div>"
        )


def scale_of(meaning: str, low: str, high: str) -> str:
    """The line under a tinted text: its nine shades between their ends, in HTML."""
    shades = "".join(_span(level, "\N{NO-BREAK SPACE}") for level in range(LEVELS))
    return f'<p class="rn-heat-scale">{escape(meaning)}: {low} {shades} {high}</p>'


def _limits(known, diverging):
    low, high = (known.min(), known.max()) if known.size else (0.0, 1.0)
    if diverging:
        low, high = -max(-low, high), max(-low, high)
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def _span(level, text):
    text = escape(text, quote=False)
    return text if level is None else f'<span class="rn-heat-{level}">{text}</span>'
