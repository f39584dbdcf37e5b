"""The equations of the docstrings, read and evaluated as they stand.

A docstring's equations are in double backticks, in the plain notation of the field:

- ``W x``: two factors side by side are multiplied, as matrices where they are such; ``*`` is
  element by element, ``^`` a power (of a matrix, where a matrix alone stands before it), ``'`` a
  transpose, ``|x|`` a size and ``||x||`` a Euclidean norm;
- ``h_{t-1}``: a name with its subscript, or the element t - 1 of the family h; ``W[:, i]`` entries
  of one tensor; ``[a, b]`` and ``[a; b]`` tensors joined; ``f_T * f_{T-1} * ... * f_1`` a product,
  and ``[x_0, ..., x_l]`` a list, over a whole range of a family;
- ``sum_t a_t h_t``, and so mean, max and min: over the range of the index, of the product that
  follows; without an index, over all entries;
- ``dL/dW``, ``d s_t[i] / d s_{t-1}[j]``: what the scope's ``derivative`` says of both;
- ``a if c else b`` and ``min {k : condition}``.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

NAME = r"[A-Za-z][A-Za-z0-9]*'*(?:_(?:\{[^{}]*\}|[A-Za-z0-9]+))*'*"
PLACE = rf"{NAME}(?:\[[^\]]*\])?"
TOKEN = re.compile(
    rf"\s*(?:(?P<derivative>d ?{PLACE} ?/ ?d ?{PLACE})|(?P<number>\d+(?:\.\d+)?(?:e-?\d+)?)"
    rf"|(?P<name>{NAME})|(?P<sign>\.\.\.|\|\||_F|<=|>=|!=|[-+*/^()\[\]{{}}|,;:<>'.]))"
)
OPERATOR = re.compile(r" [-+*/<>=] | <- | [<>]= | != |\^|\||\w \[")
REDUCTIONS = {
    "sum": lambda values: sum(values[1:], start=values[0]),
    "mean": lambda values: sum(values[1:], start=values[0]) / len(values),
    "max": lambda values: torch.stack([torch.as_tensor(value) for value in values]).amax(0),
    "min": lambda values: torch.stack([torch.as_tensor(value) for value in values]).amin(0),
}
FUNCTIONS = {
    "sqrt": lambda x: torch.as_tensor(x, dtype=torch.float64).sqrt(),
    "exp": lambda x: torch.as_tensor(x, dtype=torch.float64).exp(),
    "ln": lambda x: torch.as_tensor(x, dtype=torch.float64).log(),
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "floor": lambda x: torch.as_tensor(x).floor(),
    "diag": torch.diag,
    "mean": lambda x: x.mean(),
    "min": lambda *values: min(values),
    "max": lambda *values: max(values),
}
WORDS = ("if", "else")


def formulas(docstring: str) -> list[str]:
    """Whatever stands in double backticks and has an operator, each on one line."""
    texts = re.findall(r"``(.+?)``", docstring, re.DOTALL)
    return [text for text in (" ".join(text.split()) for text in texts) if OPERATOR.search(text)]


def sides(formula: str) -> tuple[str, str]:
    """Left and right side; the left is empty where there is no equals sign."""
    left, _, right = re.split(r"( = | <- )", f"{formula} = ", maxsplit=1)
    return (left, right.removesuffix(" = ")) if right else ("", left)


@dataclass
class Family:
    """A name with a subscript: ``h_{t-1}`` is ``of(t - 1)``."""

    of: Callable

    @classmethod
    def listed(cls, values: Iterable, first: int = 0) -> "Family":
        """A family of values, the first of which has the subscript ``first``."""
        values = list(values)

        def of(subscript: int):
            assert subscript >= first, subscript
            return values[subscript - first]

        return cls(of)


@dataclass
class Scope:
    """What the names of a formula stand for, and the ranges of the indices of its sums."""

    names: dict[str, object]
    ranges: dict[str, Iterable] = field(default_factory=dict)
    derivative: Callable | None = None

    def value(self, formula: str):
        """The value of a formula without an equals sign."""
        reader = Reader(formula, self)
        found = reader.choice()
        assert reader.at == len(reader.tokens), f"{formula!r}: not read beyond {reader.rest()!r}"
        return found

    def within(self, **names: object) -> "Scope":
        return Scope({**self.names, **names}, self.ranges, self.derivative)

    def place(self, text: str) -> tuple[str, object, tuple]:
        """``s_{t-1}[j]`` as ("s", value of t - 1, (value of j,)); a plain name has None and ()."""
        name, _, inside = text.partition("[")
        entries = tuple(self.value(part) for part in inside.rstrip("]").split(",") if part)
        if name in self.names or "_" not in name:
            return name, None, entries
        base, subscript = split_name(name)
        return base, self.value(subscript), entries

    def named(self, name: str):
        if name in self.names:
            return self.names[name]
        plain = name.rstrip("'")
        if plain != name:
            assert len(name) - len(plain) == 1, name
            return transposed(self.named(plain))
        base, subscript = split_name(name)
        family = self.names.get(base)
        assert isinstance(family, Family), f"no meaning for {name!r}"
        if ":" in subscript:
            start, stop = (self.value(part) for part in subscript.split(":"))
            return torch.stack([family.of(k) for k in range(start, stop + 1)])
        return family.of(self.value(subscript))

    def knows_call(self, name: str) -> bool:
        """Whether a bracket after the name holds arguments, not a factor."""
        try:
            found = self.named(name)
        except AssertionError:
            return name in FUNCTIONS
        return callable(found)


def split_name(name: str) -> tuple[str, str]:
    """``h_{t-1}`` as ("h", "t-1")."""
    base, _, subscript = name.rpartition("_")
    return base, subscript.strip("{}")


class Reader:
    """Reads a formula from left to right and evaluates it on the way."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.at, self.norms = text, scope, 0, 0
        self.tokens: list[tuple[str, str, bool]] = []
        end = 0
        while text[end:].strip():
            match = TOKEN.match(text, end)
            assert match, f"{text!r}: cannot read {text[end:]!r}"
            kind = match.lastgroup
            # An index follows its name without a space: W[i], but W [a, b].
            close = match.start(kind) == end
            self.tokens.append((kind, match[kind], close))
            end = match.end()

    def rest(self) -> str:
        return " ".join(token[1] for token in self.tokens[self.at :])

    def next_is(self, *texts: str) -> bool:
        return self.at < len(self.tokens) and self.tokens[self.at][1] in texts

    def take(self, *texts: str) -> str:
        if texts:
            assert self.next_is(*texts), f"{self.text!r}: expected {texts} before {self.rest()!r}"
        self.at += 1
        return self.tokens[self.at - 1][1]

    def choice(self):
        found = self.comparison()
        if self.next_is("if"):
            self.take()
            condition = self.comparison()
            self.take("else")
            other = self.choice()
            return found if condition else other
        return found

    def comparison(self):
        found = self.total()
        while self.next_is("<", ">", "<=", ">=", "!="):
            sign, other = self.take(), self.total()
            compared = {
                "<": lambda a, b: a < b,
                ">": lambda a, b: a > b,
                "<=": lambda a, b: a <= b,
                ">=": lambda a, b: a >= b,
                "!=": lambda a, b: a != b,
            }
            found = compared[sign](found, other)
        return found

    def total(self):
        found = -self.product() if self.next_is("-") and self.take() else self.product()
        while self.next_is("+", "-"):
            sign, other = self.take(), self.product()
            found = found + other if sign == "+" else found - other
        return found

    def product(self):
        found = self.factor()
        while True:
            if self.next_is("*") and self.tokens[self.at + 1][1] == "...":
                self.take(), self.take(), self.take("*")
                found = self.filled(found, lambda a, b: a * b)
            elif self.next_is("..."):
                self.take()
                found = self.filled(found, times)
            elif self.next_is("*", "/", "."):
                sign, other = self.take(), self.factor()
                if sign == ".":
                    found = (found * other).sum()
                else:
                    found = found * other if sign == "*" else found / other
            elif self.starts_a_factor():
                found = times(found, self.factor())
            else:
                return found

    def filled(self, found, join: Callable):
        """A product over ``...``: from the factor before it to the one after it, one by one."""
        before = next(token[1] for token in reversed(self.tokens[: self.at]) if token[0] == "name")
        after = self.tokens[self.at][1]
        for value in self.between(before, after):
            found = join(found, value)
        return join(found, self.factor())

    def between(self, before: str, after: str) -> list:
        """The members of a family between two of them, in their order."""
        (family, first, _), (same, last, _) = (self.scope.place(t) for t in (before, after))
        assert family == same, f"{self.text!r}: {before} and {after} are of two families"
        step = 1 if last > first else -1
        subscripts = range(first + step, last, step)
        assert len(subscripts) > 0, f"{self.text!r}: nothing between {before} and {after}"
        return [self.scope.names[family].of(k) for k in subscripts]

    def starts_a_factor(self) -> bool:
        if self.at == len(self.tokens):
            return False
        kind, text, _ = self.tokens[self.at]
        if text in ("|", "||"):
            return not self.norms
        return (kind != "sign" and text not in WORDS) or text in ("(", "[")

    def factor(self):
        kind, text, _ = self.tokens[self.at]
        if kind == "name" and (found := self.reduction(text)) is not None:
            return found
        alone = kind == "name"
        found = self.primary()
        while self.next_is("^", "'"):
            if self.take() == "'":
                found = transposed(found)
                continue
            negative = self.next_is("-") and bool(self.take())
            exponent = self.primary()
            found = power(found, -exponent if negative else exponent, alone)
        return found

    def primary(self):
        kind, text, _ = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return float(text) if set(text) & set(".e") else int(text)
        if kind == "derivative":
            of_what, by = re.match(rf"d ?({PLACE}) ?/ ?d ?({PLACE})", text).groups()
            return self.scope.derivative(of_what, by, self.scope)
        if kind == "name":
            return self.indexed(self.called(text))
        if text == "(":
            norms, self.norms = self.norms, 0
            found = self.choice()
            self.norms = norms
            self.take(")")
            return found
        if text == "[":
            return self.joined()
        assert text in ("|", "||"), f"{self.text!r}: did not expect {text!r}"
        self.norms += 1
        found = self.total()
        self.norms -= 1
        self.take(text)
        if text == "|":
            return abs(found)
        if self.next_is("_F"):
            self.take()
            return torch.linalg.matrix_norm(found)
        norm = self.scope.names.get("norm", torch.linalg.vector_norm)
        return norm(found)

    def called(self, name: str):
        if not (self.next_is("(") and self.scope.knows_call(name)):
            return self.scope.named(name)
        function = FUNCTIONS[name] if name not in self.scope.names and name in FUNCTIONS else None
        function = function or self.scope.named(name)
        self.take("(")
        norms, self.norms = self.norms, 0
        arguments = [self.choice()]
        while self.next_is(","):
            self.take()
            arguments.append(self.choice())
        self.norms = norms
        self.take(")")
        return function(*arguments)

    def indexed(self, found):
        while self.next_is("[") and self.tokens[self.at][2]:
            self.take("[")
            entries = []
            while not self.next_is("]"):
                if self.next_is(":"):
                    self.take()
                    entries.append(slice(None))
                else:
                    entries.append(self.total())
                if self.next_is(","):
                    self.take()
            self.take("]")
            found = found[tuple(entries)]
        return found

    def joined(self):
        parts = []
        while True:
            if self.next_is("..."):
                self.take(), self.take(",", ";")
                parts += self.between(self.tokens[self.at - 4][1], self.tokens[self.at][1])
            parts.append(self.choice())
            if self.take(",", ";", "]") == "]":
                return torch.cat(parts, dim=-1)

    def reduction(self, name: str):
        """The sum, mean, least or largest, if the name stands for one here."""
        kind, _, index = name.partition("_")
        if kind not in REDUCTIONS or name in self.scope.names:
            return None
        following = self.tokens[self.at + 1][1] if self.at + 1 < len(self.tokens) else ""
        if kind == "min" and following == "{":
            return self.least()
        indices = [part.strip() for part in index.strip("{}").split(",")] if index else []
        if not all(part in self.scope.ranges for part in indices):
            return None
        if not index:
            if following == "(" and kind in ("mean", "min", "max"):
                return None
            self.take()
            return getattr(torch.as_tensor(self.product()), kind)()
        self.take()
        start, scope, values = self.at, self.scope, []
        for names in every(scope.ranges, indices):
            self.at, self.scope = start, scope.within(**names)
            values.append(self.product())
        self.scope = scope
        return REDUCTIONS[kind](values)

    def least(self):
        """``min {k : condition}``; infinite where there is none."""
        self.take(), self.take("{")
        index = self.take()
        self.take(":")
        start, scope, found = self.at, self.scope, math.inf
        for value in scope.ranges[index]:
            self.at, self.scope = start, scope.within(**{index: value})
            if self.comparison():
                found = min(found, value)
        self.scope = scope
        self.take("}")
        return found


def every(ranges: dict[str, Iterable], indices: list[str]) -> Iterable[dict]:
    if not indices:
        yield {}
        return
    for value in ranges[indices[0]]:
        for rest in every(ranges, indices[1:]):
            yield {indices[0]: value, **rest}


def times(a, b):
    """Two factors side by side."""
    plain = any(not isinstance(x, Tensor) or x.dim() == 0 for x in (a, b))
    return a * b if plain else a @ b


def power(base, exponent, alone: bool):
    matrix = isinstance(base, Tensor) and base.dim() == 2 and base.shape[0] == base.shape[1]
    if matrix and isinstance(exponent, int) and (alone or exponent < 0):
        return torch.linalg.matrix_power(base, exponent)
    return base**exponent


def transposed(x: Tensor) -> Tensor:
    return x.mT if x.dim() > 1 else x
