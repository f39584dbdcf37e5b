"""What can be wrong with a page, and what will be said of it.

The faults are put into pages of their own in a small project, and into real pages of the whole
site. A faulty line holds ``# here``.
"""

import re
from dataclasses import dataclass

from site_project import Build, machinery

HERE = "# here"
# These blocks are stopped; their pages say after how long.
NEVER_ENDS = ("endless", "workers")
SOON = "rnnnotes: {time_limit: 2}\n"
# A module that fails, for the page that imports it.
SHELF = "def fail():\n    raise RuntimeError('deep inside')\n"
# A file with a section, for the pages that show others of it.
REAL = "# --8<-- [start:part]\nx = 1\n# --8<-- [end:part]\n"

# ---- while a page runs: body, words ------------------------------------------------------------

RUNNING = {
    "raises": (
        """\
        # An exception, in a function that an earlier block defined

        ```python
        def inner(x):
            return 1 / x  # here
        ```

        Prose.

        ```python
        y = 1
        inner(0)
        ```
        """,
        "ZeroDivisionError: division by zero",
    ),
    "syntax": (
        """\
        # A syntax error

        ```python
        x = 1
        y = = 2  # here
        ```
        """,
        "SyntaxError: invalid syntax",
    ),
    "callout": (
        """\
        # Inside of a callout

        ```python
        x = 1
        ```

        !!! note "N"

            ```python
            x = 2
            print(undefined_name)  # here
            ```
        """,
        "NameError: name 'undefined_name' is not defined",
    ),
    "package": (
        """\
        # Inside of the package

        ```python
        import shelf

        shelf.fail()  # here
        ```
        """,
        "RuntimeError: deep inside",
    ),
    "warns": (
        """\
        # A warning

        ```python
        import warnings

        warnings.warn("be careful")  # here
        ```
        """,
        "UserWarning: be careful",
    ),
    "stderr": (
        """\
        # Something on stderr

        ```python
        import sys; sys.stderr.write("oh\\n")  # here
        ```
        """,
        "this block wrote to stderr",
    ),
    "endless": (
        """\
        # Never ends

        ```python
        while True: pass  # here
        ```
        """,
        "this block ran for more than 2 s",
    ),
    "workers": (
        """\
        # Its workers never end

        ```python
        from joblib import Parallel, delayed
        ```

        ```python
        import time; Parallel(n_jobs=2)(delayed(time.sleep)(1000) for _ in range(4))  # here
        ```
        """,
        "this block ran for more than 2 s",
    ),
    "stubborn": (
        """\
        # Asks for the end of Python

        ```python
        raise SystemExit(3)  # here
        ```
        """,
        "SystemExit",
    ),
    "exits": (
        """\
        # The kernel ends

        ```python
        x = 1
        ```

        ```python
        import os; os._exit(3)  # here
        ```
        """,
        "the kernel died (with status 3) in this block",
    ),
    "killed": (
        """\
        # The kernel is killed

        ```python
        import os; os.kill(os.getpid(), 9)  # here
        ```
        """,
        "the kernel died (killed by SIGKILL) in this block",
    ),
    "value": (
        """\
        # An unknown name in a value

        ```python
        known = 1
        ```

        It is `{python} known`,
        and also `{python} unknown_name`. <!-- # here -->
        """,
        "NameError: name 'unknown_name' is not defined",
    ),
    "address": (
        """\
        # An address

        ```python
        print(object())  # here
        ```
        """,
        "the output holds a memory address",
    ),
    "address_of_a_thing_with_a_picture": (
        """\
        # An address that only the notebook would hold

        ```python
        class Shown:  # here
            def _repr_html_(self):
                return "shown"

        Shown()
        ```
        """,
        "the output holds a memory address",
    ),
    "figure": (
        """\
        # A figure that cannot be drawn

        ```python
        #| caption: c # here
        #| description: d
        import matplotlib.pyplot as plt; plt.title("$\\\\frac{1$");
        ```
        """,
        "ValueError",
    ),
    "input": (
        """\
        # Asks the reader

        ```python
        input("your name? ")  # here
        ```
        """,
        "StdinNotImplementedError",
    ),
}

# ---- when a page is read -----------------------------------------------------------------------


@dataclass(frozen=True)
class Unreadable:
    """A page that cannot be read: the line, from 1, is that of the head, or of the body."""

    words: str
    line: int
    head: str | None = None  # in place of a head that is well
    body: bytes = b""
    kernel: bool = True


_KERNEL = "jupyter:\n  kernelspec: {display_name: X, language: LANGUAGE, name: NAME}\n"
_PYTHON = _KERNEL.replace("LANGUAGE", "python").replace("NAME", "python3")

READING = {
    "yaml": Unreadable(
        "the front matter is no YAML", 5, "---\ntitle: ok\nlist:\n  - a\n b: c\n---\n# Y\n"
    ),
    "kernel": Unreadable(
        "expected the kernel python3, which every Jupyter has, got 'conda-env'",
        4,
        "---\ntitle: K\njupyter:\n"
        "  kernelspec: {display_name: X, language: python, name: conda-env}\n---\n# K\n",
    ),
    "julia": Unreadable(
        "expected jupyter.kernelspec with language: python",
        3,
        f"---\ntitle: J\n{_KERNEL.replace('LANGUAGE', 'julia').replace('NAME', 'julia-1')}---\n",
    ),
    "unclosed": Unreadable(
        "the front matter opens with --- and is never closed", 1, "---\ntitle: U\n\n# U\n"
    ),
    "limit": Unreadable(
        "expected seconds as time_limit, got 'soon'",
        2,
        f"---\nrnnnotes: {{time_limit: soon}}\n{_PYTHON}---\n# L\n",
    ),
    "list": Unreadable("expected front matter of names and values", 2, "---\n- a\n- b\n---\n# L\n"),
    "latin": Unreadable(
        "expected UTF-8 text",
        5,
        body="# L\n\nText.\n\nA caf\xe9.\n".encode("latin-1"),
        kernel=False,
    ),
    "fence": Unreadable("this fence is never closed", 3, body=b"Text.\n\n```python\nx = 1\n"),
    "tag": Unreadable(
        "expected a tag of hide-input, fold, got 'remove'",
        1,
        body=b'```python tags=["remove"]\nx = 1\n```\n',
    ),
    "option": Unreadable(
        "expected an option of caption, description, label, got 'titel'",
        2,
        body=b"```python\n#| titel: x\nx = 1\n```\n",
    ),
    "options": Unreadable(
        "the #| options are no YAML",
        3,
        body=b"```python\n#| caption: ok\n#| label: [a\n```\n",
    ),
    "reason": Unreadable(
        "a Python fence that is not run says why", 1, body=b"```python .noeval\nx = 1\n```\n"
    ),
    "without": Unreadable(
        "a Python fence that nothing runs", 3, body=b"# W\n\n```python\nx = 1\n```\n", kernel=False
    ),
    "valueless": Unreadable(
        "a computed value needs a kernel", 4, body=b"# V\n\nText\nis `{python} x`.\n", kernel=False
    ),
    "value": Unreadable(
        "'x +' is no expression: invalid syntax", 2, body=b"Text\nis `{python} x +`.\n"
    ),
}

# ---- when a page is woven: body, words ---------------------------------------------------------

_FIGURE = "import matplotlib.pyplot as plt; plt.plot([1, 2]);"

WEAVING = {
    "undescribed": (
        f"# F\n\n```python\n#| caption: c # here\n{_FIGURE}\n```\n",
        "figure 1 of this block has no description",
    ),
    "uncaptioned": (
        f"# F\n\n```python\n{_FIGURE}  # here\n```\n",
        "figure 1 of this block has no caption",
    ),
    "second": (
        "# F\n\n```python\n#| caption: c # here\n#| description: d\n"
        f"{_FIGURE}\nplt.figure();\n```\n",
        "figure 2 of this block has no caption",
    ),
    "undrawn": (
        "# F\n\n```python\n#| caption: c # here\n#| description: d\nx = 1\n```\n",
        "1 captions or descriptions for 0 figures",
    ),
    "file": (
        '# F\n\n```python .noeval\n--8<-- "snippets/none.py:# here"\n```\n',
        "expected a file of the project, got 'snippets/none.py', which is not there",
    ),
    "outside": (
        '# F\n\n```python .noeval\n--8<-- "../../../etc/hostname:# here"\n```\n',
        "expected a file of the project",
    ),
    "section": (
        '# F\n\n```python .noeval\n--8<-- "snippets/real.py:parts # here"\n```\n',
        "snippets/real.py has no section 'parts # here'; it has: part",
    ),
    "formula": (
        "# F\n\nText,\nand $\\frac{1$. <!-- # here -->\n",
        "cannot be typeset",
    ),
    "marker": (
        "# F\n\nText\n<!-- rnnnotes: statments --> <!-- # here -->\n",
        "expected a marker of bibliography, changes, colophon, glossary, statements, verdict-ID, "
        "verdict-counts, got 'statments'",
    ),
}

# ---- what a build says of it -------------------------------------------------------------------


def messages(build: Build) -> dict[str, list[tuple[int, str]]]:
    """Every ``docs/page.md:LINE: message`` that stands at the head of a message, by page."""
    found: dict[str, list[tuple[int, str]]] = {}
    for match in re.finditer(
        r"^(?:(?:ERROR|WARNING) +-  )?(docs/[\w/-]+\.md):(\d+): (.+)$", build.text, re.MULTILINE
    ):
        found.setdefault(match[1], []).append((int(match[2]), match[3]))
    return found


def assert_told(build: Build, wanted: dict[str, tuple[int, str]]) -> None:
    """The build failed; of each page one message, with that line and those words; no frames of
    ours."""
    assert build.code not in (0, None), build.text
    told = messages(build)
    assert told.keys() == {f"docs/{page}.md" for page in wanted}, build.text
    for page, (line, words) in wanted.items():
        (message,) = told[f"docs/{page}.md"]
        assert message[0] == line and words in message[1], (message, line, words)
    assert machinery(build.text) == [], build.text
