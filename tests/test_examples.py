"""Every public class and function shows itself at work, and what it shows is what comes out.

An example is a Google-style section ``Examples:`` of the docstring, after all other sections and
before ``Source:``. It is run with ``torch``, ``np``, ``plt`` and ``rn`` given, and its outputs
are compared exactly.
"""

import doctest
import inspect
import random
import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn.datasets  # noqa: F401  its first import draws from Python's own random numbers
import torch
from griffe import Docstring, DocstringSectionKind

import rnnnotes as rn
from public_names import public_names

GIVEN = {"torch": torch, "np": np, "plt": plt, "rn": rn}
PUBLIC = {
    name: thing
    for name, thing in public_names().items()
    if inspect.isclass(thing) or inspect.isfunction(thing)
}
every_public = pytest.mark.parametrize("name", PUBLIC)


def shown(thing: object) -> str:
    """The examples of a docstring, as the reference on the site has them."""
    sections = Docstring(inspect.getdoc(thing) or "").parse("google", warnings=False)
    found = [s for s in sections if s.kind is DocstringSectionKind.examples]
    assert len(found) <= 1, "one section of examples"
    return "\n\n".join(text for section in found for _, text in section.value)


def examples(thing: object, name: str) -> list[doctest.DocTest]:
    """The examples of a function, or of a class and its methods, ready to run."""
    things = {name: thing}
    if inspect.isclass(thing):
        methods = {key: value for key, value in vars(thing).items() if key[0] != "_"}
        things |= {f"{name}.{key}": value for key, value in methods.items() if callable(value)}
    parser, file = doctest.DocTestParser(), inspect.getsourcefile(thing)
    return [
        parser.get_doctest(shown(thing), dict(GIVEN), name, file, None)
        for name, thing in things.items()
    ]


def random_states() -> dict[str, int]:
    """Where the global sources of random numbers stand."""
    return {
        "torch": hash(torch.get_rng_state().numpy().tobytes()),
        "numpy": hash(np.random.get_state()[1].tobytes()),
        "random": hash(random.getstate()),
    }


@every_public
def test_a_public_name_has_an_example_that_names_it(name):
    text = shown(PUBLIC[name])
    assert ">>> " in text, "expected a section Examples: with a line >>>"
    assert re.search(rf"\b{name.rpartition('.')[2]}\b", text), "the example does not name it"
    docstring = inspect.getdoc(PUBLIC[name])
    before, _, after = docstring.partition("\nExamples:\n")
    assert ">>>" not in before
    assert "\nSource:" not in before, "the source stands last"
    assert not re.search(r"^(?!Source)[A-Z]\w+:$", after, re.MULTILINE), "all sections before it"


@every_public
def test_an_example_gives_what_it_shows(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = random_states()
    runner = doctest.DocTestRunner(verbose=False)
    said: list[str] = []
    with plt.rc_context():
        for test in examples(PUBLIC[name], name):
            runner.run(test, out=said.append)
        plt.close("all")
    assert not runner.failures, "".join(said)
    assert random_states() == before, "the global random numbers are the reader's"


def test_a_wrong_output_and_a_missing_example_are_seen():
    def wrong():
        """Doubles.

        Examples:
            >>> 2 * 2
            5
        """

    def silent():
        """Doubles."""

    assert shown(silent) == ""
    (test,) = examples(wrong, "wrong")
    said: list[str] = []
    assert doctest.DocTestRunner(verbose=False).run(test, out=said.append).failed == 1
    assert "Expected:\n    5\nGot:\n    4" in "".join(said)
