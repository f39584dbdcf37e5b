"""A text whose characters show what the prediction after them depends on, as HTML."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike

from rnnnotes._checks import check_int, check_is

from .arrays import plain
from .coloured_text import LEVELS, scale_of

# The browser says the same words: docs/assets/rnnnotes.js.
NAMES = {" ": "space", "\n": "line break", "\t": "tab"}
MOST = 3
ROWS_OF_THE_TABLE = 8
CONTEXT = 12


class GradientText:
    """A text that shows, for one character, how much the prediction after it depends on each other.

    ``level[t, k] = floor(9 m[t, k] / max_k m[t, k])``, kept within 0 to 8, for a matrix m. Each row
    is scaled by its own largest value: shades compare the characters before one prediction, never
    two predictions. A row of zeros has level 0 throughout.

    The HTML has the classes of ``ColouredText`` and no style or script of its own. It shows the row
    of ``start``, and in a folded table the largest values of some rows. Where ``rnnnotes.js`` of
    the site is loaded, pointing at a character, tapping it or going there with the arrow keys shows
    its row.

    Args:
        characters: a string, or a sequence of n strings; n is at least 1, and about 120 at most
            for a page that stays light.
        matrix: (n, n), array, tensor or nested list: row t holds how strongly the prediction made
            after character t depends on character k, a finite number of at least 0. Right of the
            diagonal stand 0 or NaN: no prediction depends on what comes after it.
        start: the character whose row is shown at first, from -n to n - 1.
        meaning: what the values are, written under the text.

    Attributes:
        texts: n strings.
        levels: n tuples, of 1 to n levels.
        start: from 0 to n - 1.

    Raises:
        TypeError: characters that are not strings, a matrix that does not hold numbers.
        ValueError: no characters, another shape, values that are negative, infinite or NaN, or
            not 0 right of the diagonal, ``start`` out of range.

    Examples:
        >>> text = rn.plot.GradientText("abc", [[1.0, 0, 0], [0.5, 1.0, 0], [2.0, 0.0, 1.0]])
        >>> text.levels  # each row by its largest value
        ((8,), (4, 8), (8, 0, 4))
        >>> text.describe(2)
        'The prediction after “c”, character 3 of 3, depends most on “a” (2 back), then “c” itself.'
    """

    def __init__(
        self,
        characters: Sequence[str],
        matrix: ArrayLike,
        *,
        start: int = -1,
        meaning: str = "gradient",
    ) -> None:
        check_is("characters", characters, Sequence, "a string or a sequence of strings")
        for index, text in enumerate(characters):
            check_is(f"characters[{index}]", text, str)
        n = len(characters)
        if n == 0:
            raise ValueError(f"characters: expected at least one, got {characters!r}")
        matrix = plain("matrix", matrix)
        if matrix.shape != (n, n):
            raise ValueError(
                f"matrix: expected shape ({n}, {n}), a row and a column for each character, "
                f"got {matrix.shape}"
            )
        later = np.triu(np.ones((n, n), bool), 1)
        _check_entries(
            matrix, ~later & ~(np.isfinite(matrix) & (matrix >= 0)), "finite values of at least 0"
        )
        _check_entries(
            matrix, later & (matrix != 0) & ~np.isnan(matrix), "0 or NaN right of the diagonal"
        )
        check_int("start", start, -n, n - 1)
        check_is("meaning", meaning, str)
        self.texts = tuple(characters)
        self.start = int(start) % n
        self.meaning = meaning
        self._rows = [matrix[t, : t + 1] for t in range(n)]
        self.levels = tuple(_levels(row) for row in self._rows)

    def describe(self, t: int) -> str:
        """Which character t is, and the three that its prediction depends on most, in words.

        Args:
            t: from 0 to n - 1.
        """
        check_int("t", t, 0, len(self.texts) - 1)
        most = [f"{_name(self.texts[t - lag])} {_place(lag)}" for lag in self._most(t)]
        return (
            f"The prediction after {_name(self.texts[t])}, character {t + 1} of {len(self.texts)}, "
            f"depends {'most on ' + ', then '.join(most) if most else 'on no character'}."
        )

    def __str__(self) -> str:
        return "".join(self.texts)

    def __repr__(self) -> str:
        return f"{self}\n({self.meaning}) {self.describe(self.start)}"

    def _repr_html_(self) -> str:
        rows = "".join(str(level) for row in self.levels for level in row)
        most = ";".join(",".join(map(str, self._most(t))) for t in range(len(self.texts)))
        body = "".join(self._span(k, text) for k, text in enumerate(self.texts))
        meaning, says = escape(self.meaning), _escaped(self.describe(self.start))
        return (
            '<div class="rn-heat rn-heat-sequential rn-gradient" data-search-exclude="" '
            f'role="group" aria-label="A text, tinted by: {meaning}" '
            f'data-rows="{rows}" data-most="{most}">'
            f'<pre class="rn-heat-text">{body}</pre>'
            f'<p class="rn-gradient-says" aria-live="polite">{says}</p>'
            f"{scale_of(self.meaning, '0', 'the largest of the row')}"
            '<p class="rn-heat-scale rn-gradient-hint">'
            "Point at a character, tap it, or use the arrow keys.</p>"
            f"<details><summary>As a table</summary>{self._table()}</details></div>"
        )

    def _span(self, k: int, text: str) -> str:
        shade = f"rn-heat-{self.levels[self.start][k]}" if k <= self.start else "rn-later"
        shade += " rn-line-break" if text == "\n" else ""
        shade += " rn-chosen" if k == self.start else ""
        return f'<span class="{shade}">{_escaped(text)}</span>'

    def _most(self, t: int) -> list[int]:
        """The lags of the largest values of row t above 0; of equals, the nearest first."""
        nearest_first = self._rows[t][::-1]
        order = np.argsort(-nearest_first, kind="stable")[:MOST]
        return [int(lag) for lag in order if nearest_first[lag] > 0]

    def _table(self) -> str:
        n = len(self.texts)
        spread = {n * part // ROWS_OF_THE_TABLE - 1 for part in range(1, ROWS_OF_THE_TABLE + 1)}
        chosen = sorted({t for t in spread if t >= 0} | {self.start})
        body = "".join(
            f'<tr><th scope="row">{_escaped(self._context(t))}</th>'
            f"<td>{_escaped(self._shares(t))}</td></tr>"
            for t in chosen
        )
        return (
            '<table><thead><tr><th scope="col">Prediction after</th><th scope="col">depends most '
            f"on (share of the row's largest)</th></tr></thead><tbody>{body}</tbody></table>"
        )

    def _context(self, t: int) -> str:
        first = max(0, t + 1 - CONTEXT)
        before = "".join(self.texts[first : t + 1]).replace("\n", "↵")
        return f"{t + 1}: “{'…' if first else ''}{before}”"

    def _shares(self, t: int) -> str:
        row, largest = self._rows[t], self._rows[t].max()
        shares = ((lag, row[t - lag] / largest) for lag in self._most(t))
        return (
            ", ".join(
                f"{_name(self.texts[t - lag])} {_place(lag)} "
                + (f"{100 * share:.0f}" if share >= 0.01 else "below 1")
                + "\N{NO-BREAK SPACE}%"
                for lag, share in shares
            )
            or "no character"
        )


def _check_entries(matrix, wrong, expected):
    if wrong.any():
        t, k = (int(index) for index in np.argwhere(wrong)[0])
        raise ValueError(f"matrix: expected {expected}, got {matrix[t, k]:g} at index {(t, k)}")


def _levels(row):
    largest = row.max()
    if largest == 0:
        return (0,) * len(row)
    return tuple(min(int(level), LEVELS - 1) for level in LEVELS * row / largest)


def _name(text):
    return NAMES.get(text, f"“{text}”")


def _place(lag):
    return f"({lag} back)" if lag else "itself"


def _escaped(text):
    # On one line and without tabs, so that Markdown leaves it alone wherever it stands.
    return escape(text).replace("\n", "&#10;").replace("\t", "&#9;")
