"""A verdict: a claim with its threshold, stated first, and the measurements that settle it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from numbers import Real
from statistics import median
from types import NoneType
from typing import Any

from rnnnotes._checks import check_is

MIME = "application/vnd.rnnnotes.verdict+json"
# What a reader is told of each word.
VERDICTS = {
    "holds": "the measurement is on the claim's side under every condition tried",
    "conditional": "it is on the claim's side under some of the conditions, which the box names, "
    "and not under others: what was said without a condition is true in part",
    "fails": "it is under none of them",
    "answered": "the notes ask, and the page measures the answer",
    "built": "a method or a drawing: made, and checked as the box says",
    "cited": "a source: used where it is cited; with a table, results of it were measured again",
}


@dataclass(frozen=True)
class Condition:
    """What was measured under one condition: the spread over the runs, and whether it holds.

    Attributes:
        name: of the condition.
        runs: how many values were measured.
        median: of the values; NaN where one of them is NaN.
        low: the lowest value that is not NaN.
        high: the highest.
        share: fraction of the runs whose value is on the claim's side of the threshold, from 0 to
            1.
        holds: whether that is as large as the claim asks for.
    """

    name: str
    runs: int
    median: float
    low: float
    high: float
    share: float
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """What became of a statement: the record that the site shows as a box and gathers in a table.

    A notebook shows it as a table.

    Attributes:
        statement: any name; on this site the id in ``docs/statements.yml``.
        verdict: ``holds``, ``conditional``, ``fails``, ``answered`` (a question of the notes),
            ``built`` (a method or a figure) or ``cited`` (a pointer to a source).
        quantity: what was measured, with its unit.
        threshold: in words, as ``above 0.9``.
        needed: fraction of the runs that had to be on the claim's side, in (0, 1].
        conditions: what was measured under each one: a record with its ``name``, ``runs`` (how many
            values), their ``median``, ``low`` and ``high``, the ``share`` of them on the claim's
            side, from 0 to 1, and ``holds``, whether that is as large as ``needed``. Where no
            conditions were named there is one, of the name ``as measured``.
        because: why it came out so, in a sentence.

    Examples:
        >>> claim = rn.Claim("A3", "accuracy", above=0.9)
        >>> verdict = claim.settle({"short": [0.95, 0.99], "long": [0.50, 0.95]})
        >>> isinstance(verdict, rn.Verdict), verdict.verdict, verdict.holds
        (True, 'conditional', True)
        >>> [(condition.name, condition.holds) for condition in verdict.conditions]
        [('short', True), ('long', False)]
    """

    statement: str
    verdict: str
    quantity: str = ""
    threshold: str = ""
    needed: float = 1.0
    conditions: tuple[Condition, ...] = ()
    because: str = ""

    @property
    def holds(self) -> bool:
        """Whether the claim came out under at least one condition: all words but ``fails``."""
        return self.verdict not in ("fails",)

    def record(self) -> dict[str, Any]:
        """The verdict as plain JSON data; infinities and NaN become their names."""
        return _plain(asdict(self))

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, Any]:
        return {
            MIME: self.record(),
            "text/markdown": self._markdown(),
            "text/plain": repr(self),
        }

    def _markdown(self) -> str:
        lines = [f"**{self.statement}: {self.verdict}.** {self.because}".rstrip(), ""]
        if self.conditions:
            lines += [
                f"{self.quantity} ({self.threshold})",
                "",
                "| condition | median | lowest to highest | runs | holds |",
                "| --- | --- | --- | --- | --- |",
            ]
            lines += [
                f"| {c.name} | {number(c.median)} | {number(c.low)} to {number(c.high)} "
                f"| {c.runs} | {'yes' if c.holds else 'no'} |"
                for c in self.conditions
            ]
        return "\n".join(lines)


@dataclass(frozen=True)
class Claim:
    """A statement of the notes as something that a number can decide.

    A value ``x`` is on the claim's side when ``x > above`` and ``x < below`` (whichever are
    given). A condition holds when at least the fraction ``share`` of its runs is on the
    claim's side; the claim holds when all its conditions do, fails when none does, and is
    conditional in between.

    Args:
        statement: any name; on this site the id in ``docs/statements.yml``, as ``"A3"``.
        quantity: what is measured, with its unit.
        above: the threshold that a value has to be above, stated before anything is measured.
        below: the one that it has to be below. At least one of the two is given.
        share: fraction of the runs, in (0, 1].
        outcome: the word for a claim that comes out under all conditions: ``"holds"``;
            ``"answered"`` for a question of the notes; ``"built"`` for a method or a figure;
            ``"cited"`` for a pointer to sources of which a result was reproduced. Whatever it is,
            a claim that comes out under some or none is ``conditional`` or ``fails``.

    Raises:
        ValueError: no threshold or NaN, an empty range, a share outside (0, 1], an unknown outcome.

    Examples:
        >>> claim = rn.Claim("A3", "accuracy, a run for each seed", above=0.9, share=0.5)
        >>> claim.threshold, claim.accepts(0.95), claim.accepts(0.9)
        ('above 0.9', True, False)
        >>> claim.settle([0.95, 0.99, 0.50]).verdict  # 2 of 3 runs, and half are enough
        'holds'
    """

    statement: str
    quantity: str
    above: float | None = None
    below: float | None = None
    share: float = field(default=1.0, kw_only=True)
    outcome: str = field(default="holds", kw_only=True)

    def __post_init__(self) -> None:
        check_is("statement", self.statement, str)
        check_is("quantity", self.quantity, str)
        for name in ("above", "below", "share"):
            check_is(name, getattr(self, name), (Real, NoneType), "a number")
        if self.above is None and self.below is None:
            raise ValueError(f"{self.statement}: expected a threshold, above= or below=, got none")
        if any(t is not None and math.isnan(t) for t in (self.above, self.below)):
            raise ValueError(f"{self.statement}: expected a threshold that is a number, got nan")
        if self.above is not None and self.below is not None and not self.above < self.below:
            raise ValueError(
                f"{self.statement}: expected above < below, got {self.above} and {self.below}"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"{self.statement}: expected a share in (0, 1], got {self.share}")
        if self.outcome not in ("holds", "answered", "built", "cited"):
            raise ValueError(
                f"{self.statement}: expected outcome holds, answered, built or cited, "
                f"got {self.outcome!r}"
            )

    @property
    def threshold(self) -> str:
        """The threshold in words: ``above 0.9``, ``below 0.001``, ``between 0 and 1``."""
        if self.above is None:
            return f"below {number(self.below)}"
        if self.below is None:
            return f"above {number(self.above)}"
        return f"between {number(self.above)} and {number(self.below)}"

    def accepts(self, value: float) -> bool:
        """Whether one measured value is on the claim's side. NaN never is.

        Args:
            value: in the unit of the quantity.
        """
        over = self.above is None or value > self.above
        under = self.below is None or value < self.below
        return over and under and not math.isnan(value)

    def settle(self, measured: Mapping[str, Any] | Any, because: str = "") -> Verdict:
        """Decides the claim from the values measured, one per run (seed).

        Args:
            measured: the values (a number, a sequence or a tensor), or a mapping from the name
                of a condition to the values measured under it.
            because: one sentence on why it came out so.

        Returns:
            The verdict; with values alone, and no names, its one condition is ``as measured``.

        Raises:
            ValueError: no condition, or a condition without a value.
            TypeError: values that are not numbers, as a text or None.
        """
        if not isinstance(measured, Mapping):
            measured = {"as measured": measured}
        if not measured:
            raise ValueError(f"{self.statement}: expected at least one condition, got none")
        conditions = tuple(self._condition(name, values) for name, values in measured.items())
        count = sum(c.holds for c in conditions)
        word = "fails" if count == 0 else "conditional"
        if count == len(conditions):
            word = self.outcome
        return Verdict(
            self.statement, word, self.quantity, self.threshold, self.share, conditions, because
        )

    def _condition(self, name: str, values: Any) -> Condition:
        runs = _floats(f"{self.statement}: {name}", values)
        if not runs:
            raise ValueError(f"{self.statement}: expected values for {name!r}, got none")
        share = sum(map(self.accepts, runs)) / len(runs)
        # NaN has no order: it is shown rather than sorted away.
        ordered = [run for run in runs if not math.isnan(run)] or [math.nan]
        middle = median(runs) if len(ordered) == len(runs) else math.nan
        return Condition(
            name, len(runs), middle, min(ordered), max(ordered), share, share >= self.share
        )


def cite(statement: str, because: str) -> Verdict:
    """The record of a pointer: a source that the notes name, and what the page takes from it.

    Where a result of the source is measured, a ``Claim`` with ``outcome="cited"`` records it.

    Args:
        statement: any name; on this site the id in ``docs/statements.yml``.
        because: what is taken from the source, in a sentence.

    Examples:
        >>> verdict = rn.cite("F1", because="The equations of the GRU are taken from it.")
        >>> verdict.verdict, verdict.because
        ('cited', 'The equations of the GRU are taken from it.')
    """
    check_is("statement", statement, str)
    check_is("because", because, str)
    return Verdict(statement, "cited", because=because)


def number(value: float | None) -> str:
    """Three significant digits, without a padded exponent: ``0.25``, ``1e-7``, ``nan``."""
    text = f"{value:.3g}"
    if "e" in text:
        mantissa, exponent = text.split("e")
        text = f"{mantissa}e{int(exponent)}"
    return text


def _floats(name: str, values: Any) -> list[float]:
    if hasattr(values, "tolist"):  # a tensor or an array
        values = values.tolist()
    if not isinstance(values, Sequence):
        values = [values]
    if isinstance(values, str) or any(isinstance(value, str | None) for value in values):
        raise TypeError(f"{name}: expected numbers, got {values!r}")
    return [float(value) for value in values]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
