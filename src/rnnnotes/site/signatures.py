"""Keeps the signatures that mkdocstrings has laid out in lines.

It starts a process of ruff for each signature that is too long for a line, at every build.
"""

import importlib.metadata
import re
from collections.abc import Callable
from contextlib import suppress

Formatter = Callable[[str, int], str]
Memo = Callable[[str, Callable[[], str]], str]
# While code is laid out, a name of random letters, as long, stands for each name that is a link.
_STAND_IN = re.compile(r"\b_[A-Za-z0-9]{2,}\b")


def keep_formatted(memo: Memo) -> None:
    """Lets mkdocstrings ask ``memo(source, make)`` before it formats code.

    The place where it does so is not public: should a later version have none, all is as before.
    """
    with suppress(ImportError, AttributeError):
        from mkdocstrings_handlers.python._internal import rendering

        ask = getattr(rendering._get_formatter, "asked_before", rendering._get_formatter)
        formatter = kept(ask(), memo)

        def get_formatter() -> Formatter:
            return formatter

        get_formatter.asked_before = ask
        rendering._get_formatter = get_formatter


def kept(formatter: Formatter, memo: Memo) -> Formatter:
    """The formatter, asked once for all code that differs only in its stand-ins."""
    versions = [_version(name) for name in ("black", "ruff")]

    def formatted(code: str, line_length: int) -> str:
        names = _STAND_IN.findall(code)
        plain = _STAND_IN.sub(lambda name: "_" + "x" * (len(name[0]) - 1), code)
        source = f"signature {versions} {line_length}\n{plain}"
        out = memo(source, lambda: formatter(plain, line_length))
        if len(_STAND_IN.findall(out)) != len(names):
            return formatter(code, line_length)
        back = iter(names)  # layout changes no order
        return _STAND_IN.sub(lambda _: next(back), out)

    return formatted


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
