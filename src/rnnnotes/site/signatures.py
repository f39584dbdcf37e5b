"""Keeps the signatures that mkdocstrings has laid out in lines.

It starts a process of ruff for each signature at every build: some 150 for the API of this
project, which was more than a third of the time of a build in which nothing had changed.
"""

import importlib.metadata
from collections.abc import Callable
from contextlib import suppress

Formatter = Callable[[str, int], str]


def keep_formatted(memo: Callable[[str, Callable[[], str]], str]) -> None:
    """Lets mkdocstrings ask ``memo(source, make)`` before it formats code.

    The place where it does so is not public: should a later version have none, all is as before.
    """
    with suppress(ImportError, AttributeError):
        from mkdocstrings_handlers.python._internal import rendering

        ask = rendering._get_formatter
        formatter: Formatter = getattr(ask, "kept", ask)()
        versions = [_version(name) for name in ("black", "ruff")]

        def kept(code: str, line_length: int) -> str:
            source = f"signature {versions} {line_length}\n{code}"
            return memo(source, lambda: formatter(code, line_length))

        def get_formatter() -> Formatter:
            return kept

        get_formatter.kept = getattr(ask, "kept", ask)
        rendering._get_formatter = get_formatter


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""
