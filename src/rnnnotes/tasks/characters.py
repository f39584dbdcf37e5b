"""Characters of Python's own standard library: real text, at hand wherever Python is."""

import hashlib
import io
import math
import platform
import sysconfig
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from rnnnotes._checks import check_choice, check_int, check_is, check_tensor
from rnnnotes.tasks.base import Batch, Task, full_lengths, one_hot

# Modules in plain Python, in ASCII, that 3.11 to 3.13 all have as one file of this name.
MODULES = {
    "train": (
        "argparse", "bisect", "calendar", "cmd", "configparser", "contextlib", "copy", "csv",
        "dataclasses", "difflib", "enum", "gzip", "inspect", "mailbox", "optparse", "pickle",
        "pprint", "shutil", "smtplib", "socketserver", "subprocess", "tarfile", "tempfile",
        "textwrap", "threading",
    ),
    "held_out": (
        "doctest", "fileinput", "json/decoder", "json/encoder", "queue", "selectors", "shelve",
        "tokenize",
    ),
}  # fmt: skip
UNKNOWN = "\N{REPLACEMENT CHARACTER}"
VOCABULARY = "\n" + "".join(map(chr, range(ord(" "), ord("~") + 1))) + UNKNOWN
CONTEXTS = {"unigram": 0, "bigram": 1}
LABELS = ("inside_string", "inside_comment", "bracket_depth", "indentation", "column")


class TextBatch(NamedTuple):
    """What a :class:`Batch` has, and its place in the text; not a subclass of it.

    Attributes:
        inputs: (B, T, 97), one-hot characters.
        targets: (B, T) long, the character after each of them.
        lengths: (B,) long, T of each.
        positions: (B, T) long, of the inputs in the text.

    Examples:
        >>> task = rn.tasks.characters(length=1000, part="held_out")
        >>> first, second, *_ = task.windows(batch_size=2)
        >>> isinstance(first, rn.tasks.TextBatch), first.inputs.shape
        (True, torch.Size([2, 1000, 97]))
        >>> first.positions[0, -1], second.positions[0, 0]  # row 0 goes on in row 0
        (tensor(999), tensor(1000))
    """

    inputs: Tensor
    targets: Tensor
    lengths: Tensor
    positions: Tensor


@dataclass(frozen=True)
class Characters(Task):
    """Inputs (B, T, 97) one-hot characters; targets (B, T): the character after each of them.

    The text is that of the modules of its part, one after the other. The score is accuracy;
    :meth:`bits` gives what is usually told.
    """

    length: int
    part: str
    name: ClassVar[str] = "characters"
    readout: ClassVar[Literal["all"]] = "all"
    vocabulary: ClassVar[str] = VOCABULARY

    def __post_init__(self) -> None:
        check_choice("part", self.part, MODULES)
        check_int("length", self.length)

    @property
    def input_size(self) -> int:
        return len(VOCABULARY)

    @property
    def output_size(self) -> int:
        return len(VOCABULARY)

    @property
    def source(self) -> str:
        """The whole text, N characters."""
        return _text(self.part)

    def baseline(self) -> float:
        """The share, in this part, of the character that is the commonest in the training part."""
        majority = torch.bincount(_symbols("train")).argmax()
        return (_symbols(self.part)[1:] == majority).double().mean().item()

    def baseline_bits(self, context: str = "unigram") -> float:
        """Bits per character, in this part, of counts taken from the training part.

        ``"unigram"``: -mean log2 (n_b + 1) / (n + K); ``"bigram"``, with the character a before:
        -mean log2 (n_ab + 1) / (n_a + K). n counts what came in the training text, K = 97; the 1
        (Laplace's rule) leaves nothing impossible.
        """
        check_choice("context", context, CONTEXTS)
        size = len(VOCABULARY)
        seen, asked = _symbols("train"), _symbols(self.part)
        pairs = torch.bincount(seen[:-1] * size + seen[1:], minlength=size**2).reshape(size, size)
        counts = pairs.double() + 1
        if context == "unigram":
            counts = (pairs.sum(0).double() + 1).expand(size, size)
        probabilities = counts / counts.sum(1, keepdim=True)
        return -probabilities[asked[:-1], asked[1:]].log2().mean().item()

    def bits(self, output: Tensor, targets: Tensor) -> float:
        """Bits per character of outputs (B, T, 97): the loss, which is in nats, over ln 2."""
        return self.loss(output.detach(), targets).item() / math.log(2)

    def windows(self, batch_size: int) -> Iterator[TextBatch]:
        """The text once, in windows of T that go on from one another, for a carried state.

        The text is cut into ``batch_size`` stretches of equal length, and row b of every window
        goes on in stretch b where row b of the window before ended. What does not fill a last
        window is left out.
        """
        check_int("batch_size", batch_size)
        symbols = _symbols(self.part)
        count = (len(symbols) - 1) // batch_size // self.length
        if not count:
            raise ValueError(
                f"batch_size: expected {batch_size} stretches of more than length={self.length} "
                f"characters, got a text of {len(symbols)}"
            )
        starts = torch.arange(batch_size)[:, None] * ((len(symbols) - 1) // batch_size)
        for number in range(count):
            positions = starts + number * self.length + torch.arange(self.length)
            yield TextBatch(*self._at(positions), positions)

    def labels(self) -> dict[str, Tensor]:
        """:func:`syntax_labels` of the text, each (N,); index them by a window's ``positions``."""
        return dict(_labels(self.part))

    def text(self, inputs: Tensor) -> list[str]:
        """The texts of a batch (B, T, 97)."""
        check_tensor("inputs", inputs, ("B", "T", self.input_size))
        return ["".join(VOCABULARY[i] for i in row) for row in inputs.argmax(-1).tolist()]

    def record(self) -> dict[str, Any]:
        """Which text this is: version of Python, modules, characters, and SHA-256 in UTF-8."""
        text = "".join(_sources(self.part))
        return {
            "python": platform.python_version(),
            "modules": MODULES[self.part],
            "characters": len(text),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
        }

    def _at(self, positions: Tensor) -> Batch:
        symbols = _symbols(self.part)
        inputs = one_hot(symbols[positions], self.input_size)
        return Batch(inputs, symbols[positions + 1], full_lengths(inputs))

    def _draw(self, batch_size: int, generator: torch.Generator) -> Batch:
        last = len(_symbols(self.part)) - self.length
        if last < 1:
            raise ValueError(
                f"length: expected less than the text's {last + self.length}, got {self.length}"
            )
        starts = torch.randint(last, (batch_size, 1), generator=generator)
        return self._at(starts + torch.arange(self.length))


def characters(length: int = 100, part: str = "train") -> Characters:
    """Which character comes next, in the source of modules of Python's standard library?

    ``sample`` takes windows anywhere, ``windows`` takes the text in order. The vocabulary is the
    same for every Python: end of line, the 95 printable characters of ASCII, and one for all
    others. The text is that of the running Python, so versions differ: ``record`` says which it is.

    Inputs (B, T, 97) are one-hot at each step; targets (B, T) are the numbers of the characters
    that follow.

    Its baseline is the accuracy of always answering the commonest character; ``baseline_bits`` has
    the bits per character of counting characters, or pairs of them.

    Args:
        length: T, at least 1.
        part: ``"train"`` (25 modules) or ``"held_out"`` (8 others).

    Examples:
        >>> task = rn.tasks.characters(length=20, part="held_out")
        >>> batch = task.sample(4, torch.Generator().manual_seed(0))
        >>> batch.inputs.shape
        torch.Size([4, 20, 97])
        >>> task.text(batch.inputs)[0] in task.source
        True
        >>> bool((batch.targets[:, :-1] == batch.inputs.argmax(-1)[:, 1:]).all())  # what comes next
        True
        >>> task.baseline_bits("bigram") < task.baseline_bits("unigram") < 6.6  # log2(97)
        True
    """
    return Characters(length, part)


def syntax_labels(source: str) -> dict[str, Tensor]:
    """What a reader of Python knows at every character, from the tokenizer.

    ``inside_string``: 1 from a string's prefix to its closing quote. ``inside_comment``: 1 from
    ``#`` to the end of line, exclusive. ``bracket_depth``: brackets open, each counted from its
    opening to its closing character, both inclusive; none inside strings. ``indentation``: blocks
    that the line's statement is in; blank lines and comments keep that of the line before.
    ``column``: characters since the line's start, from 0, the end of line included.

    An f-string is all string, with what stands in its braces, in every version: up to Python 3.11
    the tokenizer sees it as one string, from 3.12 on as parts with code between them. Only where
    such code uses the f-string's own quotes, which 3.12 allows, do versions differ: 3.11 sees two
    strings there, or none.

    Args:
        source: n characters, at least 1, of Python that tokenizes.

    Returns:
        By name, each (n,) long.

    Raises:
        ValueError: an empty source, or one that does not tokenize; what does not is for the
            running Python's tokenizer to say, and 3.12's lets a stray ``$`` or ``?`` pass.

    Examples:
        >>> labels = rn.tasks.syntax_labels("f(['a'])  # b")
        >>> labels["bracket_depth"].tolist()
        [0, 1, 2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 0]
        >>> labels["inside_string"].tolist()
        [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
        >>> labels["inside_comment"].tolist()
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    """
    check_is("source", source, str)
    if not source:
        raise ValueError("source: expected at least one character, got none")
    lines = io.StringIO(source).readlines()
    starts = list(accumulate(map(len, lines), initial=0))
    changes = {name: [0] * (len(source) + 1) for name in LABELS[:3]}
    levels: dict[int, int] = {}
    level = nested = 0

    def change(name: str, at: tuple[int, int], by: int) -> None:
        changes[name][starts[at[0] - 1] + at[1]] += by

    for kind, text, first, end, _ in _tokens(lines):
        # By name, since up to 3.11 there are no parts of f-strings.
        name = tokenize.tok_name[kind]
        if name.endswith("STRING_START"):
            change("inside_string", first, 0 if nested else 1)
            nested += 1
        elif name.endswith("STRING_END"):
            nested -= 1
            change("inside_string", end, 0 if nested else -1)
        elif nested:
            continue
        elif name in ("STRING", "COMMENT"):
            label = "inside_string" if name == "STRING" else "inside_comment"
            change(label, first, 1)
            change(label, end, -1)
        elif name in ("INDENT", "DEDENT"):
            level += 1 if name == "INDENT" else -1
            levels[first[0]] = level
        elif name == "OP" and text in "([{":
            change("bracket_depth", first, 1)
        elif name == "OP" and text in ")]}":
            change("bracket_depth", end, -1)
    labels = {name: list(accumulate(steps)) for name, steps in changes.items()}
    if min(labels["bracket_depth"]) < 0:
        raise ValueError("source: expected brackets that match, got a closing one too many")
    for values in labels.values():
        values.pop()  # what holds after the last character
    level, labels["indentation"], labels["column"] = 0, [], []
    for number, line in enumerate(lines, 1):
        level = levels.get(number, level)
        labels["indentation"] += [level] * len(line)
        labels["column"] += range(len(line))
    return {name: torch.tensor(values) for name, values in labels.items()}


def _tokens(lines: list[str]) -> Iterator[tokenize.TokenInfo]:
    try:
        for token in tokenize.generate_tokens(iter(lines).__next__):
            # Up to 3.11 an unclosed quote is such a token; later it is an exception.
            if token.type == tokenize.ERRORTOKEN:
                raise ValueError(
                    f"source: expected Python that tokenizes, got {token.string!r} "
                    f"in line {token.start[0]}"
                )
            yield token
    except (tokenize.TokenError, SyntaxError) as error:
        raise ValueError(f"source: expected Python that tokenizes, got {error}") from error


@lru_cache(maxsize=len(MODULES))
def _sources(part: str) -> tuple[str, ...]:
    """The modules' texts, each ending with an end of line."""
    # Not through import: a reader's own copy.py beside the notebook would be found first.
    folder = Path(sysconfig.get_path("stdlib"))
    texts = []
    for module in MODULES[part]:
        path = folder / f"{module}.py"
        if not path.is_file():
            raise FileNotFoundError(f"characters: expected the source of {module}, none at {path}")
        with tokenize.open(path) as file:
            texts.append(file.read().removesuffix("\n") + "\n")
    return tuple(texts)


@lru_cache(maxsize=len(MODULES))
def _text(part: str) -> str:
    """The modules one after the other, in the vocabulary."""
    known = set(VOCABULARY)
    return "".join(c if c in known else UNKNOWN for text in _sources(part) for c in text)


@lru_cache(maxsize=len(MODULES))
def _symbols(part: str) -> Tensor:
    """The text as numbers in the vocabulary, (N,) long."""
    numbers = {c: number for number, c in enumerate(VOCABULARY)}
    return torch.tensor([numbers[c] for c in _text(part)])


@lru_cache(maxsize=len(MODULES))
def _labels(part: str) -> dict[str, Tensor]:
    of_modules = [syntax_labels(text) for text in _sources(part)]
    return {name: torch.cat([labels[name] for labels in of_modules]) for name in LABELS}
