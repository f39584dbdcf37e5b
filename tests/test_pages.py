"""``pytest --markdown-docs``: blocks as tests, tried on small pages; those of ours are counted."""

import re
import subprocess
import sys
from textwrap import dedent

# Loaded here, for otherwise each of the runs below would load them anew.
import matplotlib.pyplot  # noqa: F401
import numpy  # noqa: F401
import pandas  # noqa: F401
import pytest
import torch  # noqa: F401

import rnnnotes.site.execute  # noqa: F401
from woven_page import KERNEL, REPOSITORY

pytest_plugins = "pytester"
# What else is installed takes seconds to start, and has no part in this.
PLUGINS = [f"-pno:{name}" for name in ("cacheprovider", "hypothesispytest", "xdist")]


class Pages:
    """A small project, and ``pytest --markdown-docs`` in it."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester, self.root = pytester, pytester.path
        (self.root / "docs").mkdir()
        (self.root / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        self.result: pytest.RunResult

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(dedent(text))

    def page(self, name: str, body: str) -> None:
        self.write(f"docs/{name}.md", f"---\n{KERNEL}---\n{dedent(body)}")

    def line(self, path: str, needle: str) -> int:
        """The line of a file, from 1, that holds a text."""
        lines = (self.root / path).read_text().split("\n")
        return next(number for number, line in enumerate(lines, 1) if needle in line)

    def run(self, *arguments: str) -> dict[str, str]:
        """What became of each test, by its name behind ``::``."""
        options = [*PLUGINS, "-p", "rnnnotes.site.doctests", "-v"]
        self.result = self.pytester.runpytest_inprocess(
            *options, "--markdown-docs", *(arguments or ("docs",))
        )
        found = re.findall(r"^\S+::(\S+) ([A-Z]+) ", self.text, re.MULTILINE)
        counted = sum(self.result.parseoutcomes().values())
        assert len(found) == counted or "no tests ran" in self.text, self.text
        return {name: outcome.lower() for name, outcome in found}

    @property
    def text(self) -> str:
        return self.result.stdout.str()

    def failure(self, name: str) -> str:
        """What is told of a failing test, by its place."""
        parts = re.split(r"^_+ block (.*?) _+$", self.text, flags=re.MULTILINE)
        return dict(zip(parts[1::2], parts[2::2], strict=True))[name].split("\n=====")[0]

    def marks(self) -> str:
        """What ``mark`` has written, in order."""
        file = self.root / "marks"
        return file.read_text() if file.exists() else ""

    def mark(self, letter: str) -> str:
        """A line of code that leaves a mark outside of the page."""
        return f"open({str(self.root / 'marks')!r}, 'a').write({letter!r}) and None"


@pytest.fixture
def pages(pytester):
    return Pages(pytester)


# ---- which tests there are -----------------------------------------------------------------------


def test_each_block_is_one_test_named_by_its_line(pages):
    pages.page(
        "part/page",
        """
        # Title

        ```python
        a = 1
        ```

        !!! note "A callout"

            ```python tags=["fold"]
            b = a + 1
            ```

            === "A tab"

                ~~~python
                if True:
                    c = b + 1
                ~~~

        ```python .noeval reason="a sketch"
        never ==
        ```

        ```python .noeval
        --8<-- "some/file.py:name"
        ```

        ````markdown
        ```python
        nor_this =
        ```
        ````

        ```bash
        exit 1
        ```

        Three: `{python} c`, `` `{python} not_this` ``.

        ```python
        #| caption: "So is `{python} c - 1`"
        #| description: none
        assert c == 3
        ```
        """,
    )
    path = "docs/part/page.md"
    lines = [pages.line(path, needle) for needle in ("a = 1", "b = a", "if True", "#| capt")]
    wanted = [f"page.md:{line}" for line in lines]
    assert pages.run() == dict.fromkeys([*wanted, "page.md:values"], "passed")
    assert "docs/part/page.md::page.md:values PASSED" in pages.text


def test_without_the_option_pages_are_no_tests(pages):
    pages.page("page", "```python\n1 / 0\n```")
    result = pages.pytester.runpytest_inprocess(*PLUGINS, "-p", "rnnnotes.site.doctests", "docs")
    assert result.ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_python_files_are_left_alone(pages):
    pages.page("page", "```python\nx = 1\n```")
    pages.write("docs/part/script.py", '"""\n```python\n1 / 0\n```\n"""\n1 / 0\n')
    pages.write("src/module.py", "1 / 0\n")
    assert pages.run("docs", "src") == {"page.md:7": "passed"}


def test_a_readme_runs_without_a_kernel_in_its_own_folder(pages):
    pages.write(
        "README.md", "# R\n\n```python\nfrom pathlib import Path\n```\n\n```bash\nls\n```\n"
    )
    with (pages.root / "README.md").open("a") as file:
        file.write("```python\nassert Path('README.md').exists()\n```\n")
    assert pages.run("README.md") == {"README.md:4": "passed", "README.md:11": "passed"}


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("# T\n\n```python\nx = 1\n```\n", 3, "a Python fence that nothing runs: give the page a"),
        ("# T\n\n```python .noeval\nx\n```\n", 3, "a Python fence that is not run says why"),
        ('# T\n\n```python .noeval reason=""\nx\n```\n', 3, "a Python fence that is not run says"),
        ("# T\n\n> ```python\n> x\n> ```\n", 3, "a Python fence that nothing runs"),
        ("# T\n\n```pycon\n>>> x\n```\n", 3, "expected the language python, got 'pycon'"),
        ("# T\n\nis `{python} x`\n", 3, "a computed value needs a kernel"),
        ("---\nx: y\njupyter: a: b\n---\n", 3, "the front matter is no YAML"),
        ("# T\n\nis `{python} x +`\n", 3, "'x +' is no expression"),
        ("# T\n\n```python\nx = 1\n", 3, "this fence is never closed"),
    ],
)
def test_a_page_that_cannot_be_read_is_a_failing_test(pages, body, line, message):
    pages.write("docs/bad.md", body)
    pages.page("good", "```python\nx = 1\n```")
    assert pages.run() == {f"bad.md:{line}": "failed", "good.md:7": "passed"}
    told = pages.failure(f"docs/bad.md:{line}").strip()
    assert told.startswith(f"docs/bad.md:{line}: {message}") and "\n" not in told


def test_every_python_fence_of_our_pages_is_run_or_says_why_not():
    """Counted by a simple reading of our own, apart from the grammar that decides."""
    options = [*PLUGINS, "--markdown-docs", "--collect-only", "-q"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "docs", "README.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    wanted = []
    for file in [*sorted((REPOSITORY / "docs").rglob("*.md")), REPOSITORY / "README.md"]:
        path = file.relative_to(REPOSITORY).as_posix()
        lines = file.read_text("utf-8").split("\n")
        opened = ""
        for number, line in enumerate(lines, 1):
            ticks = re.match(r"\s*(`{3,}|~{3,})(.*)", line)
            if not ticks:
                continue
            if opened:
                opened = "" if line.strip() == opened else opened
                continue
            opened, info = ticks[1], ticks[2].strip()
            if not info.startswith("python") or "--8<--" in lines[number]:
                continue
            if ".noeval" in info:
                assert re.search(r'reason="[^"]{3,}"', info), f"{path}:{number}"
                continue
            wanted.append(f"{path}::{file.name}:{number + 1}")
    found = [line for line in done.stdout.split("\n") if "::" in line]
    assert done.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED), done.stdout + done.stderr
    assert sorted(name for name in found if not name.endswith(":values")) == sorted(wanted)


# ---- how blocks run ------------------------------------------------------------------------------


def test_blocks_run_once_in_order_in_a_namespace_of_their_page(pages):
    pages.page(
        "a", f"```python\nx = 1\n{pages.mark('a')}\n```\n\n```python\n{pages.mark('b')}\n```"
    )
    pages.page(
        "b",
        f"""
        ```python
        {pages.mark("c")}
        assert "x" not in globals()
        x = 2
        ```

        ```python
        {pages.mark("d")}
        assert x == 2
        ```

        `{{python}} x`
        """,
    )
    assert set(pages.run().values()) == {"passed"}
    assert pages.marks() == "abcd"


def test_one_test_alone_runs_the_blocks_above_it_once_and_none_below(pages):
    pages.page(
        "page",
        f"""
        ```python
        {pages.mark("a")}
        x = 1
        ```

        ```python
        {pages.mark("b")}
        x += 1
        ```

        ```python
        {pages.mark("c")}
        assert x == 2
        ```

        ```python
        {pages.mark("d")}
        ```

        `{{python}} x`
        """,
    )
    lines = [pages.line("docs/page.md", f"'{letter}'") for letter in "abcd"]
    name = f"page.md:{lines[2]}"
    assert pages.run(f"docs/page.md::{name}") == {name: "passed"}
    assert pages.marks() == "abc"
    (pages.root / "marks").unlink()
    assert pages.run("docs/page.md::page.md:values") == {"page.md:values": "passed"}
    assert pages.marks() == "abcd"
    (pages.root / "marks").unlink()
    both = [f"docs/page.md::page.md:{line}" for line in (lines[3], lines[1])]
    assert list(pages.run(*both).values()) == ["passed", "passed"]
    assert pages.marks() == "abcd"


def test_a_failing_block_is_told_by_the_lines_of_the_page(pages):
    pages.page(
        "page",
        """
        ```python
        def divide(a, b):
            return a / b
        ```

        !!! note

            ```python
            print("seen before")
            divide(1, 0)
            ```
        """,
    )
    first = pages.line("docs/page.md", "print(")
    inner = pages.line("docs/page.md", "a / b")
    assert pages.run()[f"page.md:{first}"] == "failed"
    told = pages.failure(f"docs/page.md:{first}")
    assert told.strip().startswith(f"docs/page.md:{inner}: ZeroDivisionError: division by zero")
    path = pages.root / "docs/page.md"
    assert f'File "{path}", line {first + 1}, in <module>\n    divide(1, 0)' in told
    assert f'File "{path}", line {inner}, in divide\n    return a / b' in told
    assert "printed by the block:\nseen before" in told
    assert "doctests.py" not in told
    assert f"FAILED docs/page.md::page.md:{first} - docs/page.md:{inner}: Zero" in pages.text


def test_below_a_failing_block_nothing_runs_and_all_fails(pages):
    pages.page(
        "page",
        f"""
        ```python
        {pages.mark("a")}
        ```

        ```python
        {pages.mark("b")}
        {{}}["gone"]
        ```

        ```python
        {pages.mark("c")}
        ```

        `{{python}} 1 + 1`
        """,
    )
    pages.page("zother", f"```python\n{pages.mark('d')}\n```")
    at = [pages.line("docs/page.md", f"'{letter}'") for letter in "abc"]
    outcomes = pages.run()
    assert list(outcomes.values()) == ["passed", "failed", "failed", "failed", "passed"]
    assert pages.marks() == "abd"
    where = f"docs/page.md:{at[1] + 1}: KeyError: 'gone'"
    for name in (f"docs/page.md:{at[2]}", "docs/page.md:values"):
        assert pages.failure(name).strip() == f"not run, for a block above failed: {where}"
    # Alone, the test below is not green either.
    (pages.root / "marks").unlink()
    assert pages.run(f"docs/page.md::page.md:{at[2]}") == {f"page.md:{at[2]}": "failed"}
    assert pages.marks() == "ab"
    assert where in pages.text


@pytest.mark.parametrize(
    ("code", "head"),
    [
        ('raise TypeError("no")', "TypeError: no"),
        ("assert 1 == 2", "AssertionError"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("x = (1", "SyntaxError: '(' was never closed"),
        ("  x = 1", "IndentationError: unexpected indent"),
        ("await x", "SyntaxError: 'await' outside function"),
        ("%timeit x", "SyntaxError: invalid syntax"),
        ("class A:\n    def __repr__(self): raise OSError\nA()", "OSError"),
        ("class A:\n    def _repr_html_(self): raise OSError\nA()", "OSError"),
        ("class A:\n    def _repr_mimebundle_(self, **_): raise OSError\nA()", "OSError"),
        ("import warnings\nwarnings.warn('careful')", "UserWarning: careful"),
        ("import warnings\nwarnings.warn('old', DeprecationWarning)", "DeprecationWarning: old"),
        ("import numpy as np\nnp.log(np.zeros(1))", "RuntimeWarning: divide by zero"),
        ("import matplotlib.pyplot as plt\nplt.title('\\ue123');", "UserWarning: Glyph"),
        ("import sys; print('oh', file=sys.stderr)", "this block wrote to stderr"),
    ],
)
def test_what_stops_the_site_fails_here(pages, code, head):
    pages.page("page", f"```python\n{pages.mark('a')}\n```\n\n```python\n{code}\n```")
    line = pages.line("docs/page.md", code.split("\n")[0])
    assert pages.run()[f"page.md:{line}"] == "failed", pages.text
    told = pages.failure(f"docs/page.md:{line}").strip()
    assert re.match(rf"docs/page\.md:\d+: {re.escape(head)}", told), told
    at = int(told.split(":")[1])
    assert line <= at < line + code.count("\n") + 1
    assert pages.marks() == "a"


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    def __repr__(self): raise OSError\nA();",
        "class A:\n    def _repr_html_(self): raise OSError\nA",
        "None",
        "# only a comment",
        "import warnings\nwarnings.filterwarnings('ignore')\nwarnings.warn('mine')",
        "import warnings\nwarnings.warn('not yet', PendingDeprecationWarning)",
        "from warnings import *\nwarn_explicit('x', DeprecationWarning, 'lib.py', 1, 'lib')",
        "import pandas as pd\npd.DataFrame({'a': [1]})",
        "import torch\ntorch.ones(2)",
    ],
)
def test_what_does_not_stop_the_site_passes_here(pages, code):
    pages.page("page", f"```python\n{code}\n```")
    assert list(pages.run().values()) == ["passed"], pages.text


def test_filters_of_warnings_stay_in_their_page(pages):
    ignore = "import warnings\nwarnings.filterwarnings('ignore', message='known')"
    warn = "import warnings\nwarnings.warn('known')"
    pages.page("a", f"```python\n{ignore}\n```\n\n```python\n{warn}\n```")
    pages.page("b", f"```python\n{warn}\n```")
    assert list(pages.run().values()) == ["passed", "passed", "failed"]


def test_a_block_runs_where_and_as_it_would_on_the_site(pages):
    pages.write("docs/part/data.csv", "1,2\n")
    pages.page(
        "part/page",
        """
        ```python
        import os, pickle, sys
        from dataclasses import dataclass

        import matplotlib
        import torch

        assert open("data.csv").read() == "1,2\\n"
        assert os.path.basename(os.getcwd()) == "part"
        assert __name__ == "__main__"
        assert torch.get_num_threads() == 1
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert matplotlib.get_backend() == "agg"

        @dataclass
        class Point:
            x: "int"

        assert pickle.loads(pickle.dumps(Point(1))) == Point(1)
        ```

        ```python
        assert Point(2).x == 2
        ```
        """,
    )
    main = sys.modules["__main__"]
    assert list(pages.run().values()) == ["passed", "passed"], pages.text
    assert sys.modules["__main__"] is main


def test_figures_do_not_outlive_their_block_nor_styles_their_page(pages):
    pages.page(
        "a",
        """
        ```python
        import matplotlib.pyplot as plt
        import torch
        plt.style.use("rnnnotes.plot.house")
        plt.plot([1, 2])
        plt.figure()
        torch.set_default_dtype(torch.float64)
        assert len(plt.get_fignums()) == 2
        ```

        ```python
        assert plt.get_fignums() == []
        assert plt.rcParams["font.size"] == 11.5
        assert torch.get_default_dtype() == torch.float64
        ```
        """,
    )
    pages.page(
        "b",
        """
        ```python
        import matplotlib.pyplot as plt
        import torch
        assert plt.rcParams["font.size"] == 10
        assert torch.get_default_dtype() == torch.float32
        plt.plot([1, 2])
        1 / 0
        ```
        """,
    )
    pages.page(
        "c", "```python\nimport matplotlib.pyplot as plt\nassert plt.get_fignums() == []\n```"
    )
    assert list(pages.run().values()) == ["passed", "passed", "failed", "passed"]
    assert "ZeroDivisionError" in pages.text


def test_what_blocks_print_is_shown_only_of_those_that_fail(pages):
    pages.page(
        "page",
        '```python\nprint("of the good one")\n```\n\n```python\nprint("of the bad")\n1/0\n```',
    )
    pages.run()
    assert "of the good one" not in pages.text
    assert "printed by the block:\nof the bad" in pages.text


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("gone", "NameError: name 'gone' is not defined, in the value gone"),
        ('f"{x:.2q}"', "ValueError: Unknown format code 'q'"),
        ("bad", "RuntimeError: no text"),
    ],
)
@pytest.mark.parametrize("caption", [False, True])
def test_a_value_that_fails_names_its_line(pages, value, message, caption):
    where = f"#| caption: '`{{python}} {value}`'\n#| description: d" if caption else "#"
    pages.page(
        "page",
        f"Words.\n\n```python\n{where}\nx = 1\nclass Bad:\n    def __str__(self):"
        f"\n        raise RuntimeError('no text')\nbad = Bad()\n```\n\n"
        f"Good: `{{python}} x`.\nNot: `{{python}} {value}`.\n",
    )
    outcomes = list(pages.run().values())
    assert outcomes == ["passed", "failed"]
    line = pages.line("docs/page.md", "#" if caption else "Not:")
    told = pages.failure("docs/page.md:values").strip()
    assert told.startswith(f"docs/page.md:{line}: {message}"), told


def test_a_value_sees_what_the_last_block_left_whatever_stands_above_it(pages):
    pages.page(
        "page", "`{python} x`\n\n```python\nx = 1\n```\n\n```python\nx = str(x) + 'a'\n```\n"
    )
    assert list(pages.run().values()) == ["passed"] * 3
