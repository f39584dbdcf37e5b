"""Signatures are laid out once: what mkdocstrings does anew at every build, and how it is kept."""

from types import SimpleNamespace

import pytest
from mkdocstrings_handlers.python._internal import rendering

from rnnnotes.site import signatures


@pytest.fixture
def memo():
    """Keeps in memory; ``made`` holds what was really asked for."""
    found = {}
    made = []

    def ask(source, make):
        if source not in found:
            made.append(source)
            found[source] = make()
        return found[source]

    return SimpleNamespace(ask=ask, made=made)


CODE = "def xxxx(a: _{0}, b: list[_{1}] | None = None, *, longer_name: _{0}) -> _{1}: pass"


def test_other_stand_ins_of_the_same_length_ask_nothing_and_come_back(memo):
    ruff = rendering._get_ruff_formatter()
    formatted = signatures.kept(ruff, memo.ask)
    for names in (("Ab3", "q9Z"), ("zzz", "000"), ("xxx", "a1b")):
        code = CODE.format(*names)
        assert formatted(code, 44) == ruff(code, 44)
        assert formatted(code, 44).count("\n") > 3  # it is laid out
    assert len(memo.made) == 1


def test_another_length_or_other_code_is_laid_out_anew(memo):
    formatted = signatures.kept(rendering._get_ruff_formatter(), memo.ask)
    formatted(CODE.format("abc", "def"), 44)
    formatted(CODE.format("abcd", "def"), 44)
    formatted(CODE.format("abc", "def"), 60)
    formatted(CODE.format("abc", "def").replace("longer", "other"), 44)
    assert len(memo.made) == 4


def test_a_formatter_that_loses_a_name_is_asked_for_the_code_as_it_is(memo):
    formatted = signatures.kept(lambda code, _: code.replace("_xxx", "y"), memo.ask)
    assert formatted("def f(a: _abc): pass", 44) == "def f(a: _abc): pass"


def test_mkdocstrings_asks_the_memo_of_the_last_build(monkeypatch, memo):
    monkeypatch.setattr(rendering, "_get_formatter", lambda: lambda code, _: f"{code}!")
    stale = []
    signatures.keep_formatted(lambda source, make: stale.append(source) or make())
    signatures.keep_formatted(memo.ask)
    assert rendering.do_format_code("a" * 50, 44) == "a" * 50 + "!"
    assert len(memo.made) == 1 and not stale
