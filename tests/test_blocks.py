"""Reading a page: what is a block, what is not, on which line everything stands."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnnotes.site.blocks import Fence, Prose, parse_page, read_page
from rnnnotes.site.errors import PageError
from woven_page import KERNEL, line_of, page


def sources(body: str) -> list[str]:
    return [block.source for block in page(body).blocks]


# ---- fences -----------------------------------------------------------------------------------


def test_a_block_knows_its_line_its_code_and_its_tags():
    read = page(
        """
        Words.

        ```python tags=["fold"]
        x = 1

        y = 2
        ```
        """
    )
    (block,) = read.blocks
    assert block.source == "x = 1\n\ny = 2"
    assert block.line == line_of(read, "x = 1")
    assert block.tags == ("fold",)


def test_blocks_in_callouts_and_tabs_are_dedented_and_keep_their_inner_indent():
    read = page(
        """
        !!! note "Title"

            ```python
            def f():

                return 1
            ```

            === "A tab"

                ~~~python
                if True:
                    f()
                ~~~

        ```python
        last = 1
        ```
        """
    )
    assert [block.source for block in read.blocks] == [
        "def f():\n\n    return 1",
        "if True:\n    f()",
        "last = 1",
    ]
    assert [len(block.indent) for block in read.blocks] == [4, 8, 0]
    assert [block.line for block in read.blocks] == [
        line_of(read, needle) for needle in ("def f", "if True", "last = 1")
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('````python\ntext = """\n```\nnot the end\n```\n"""\n````', 1),
        ('~~~python\ntext = "```"\n```python\n~~~', 1),
        ("```python\nx = 1\n`````", 1),
        ("```python\nx = 1\n~~~\n```", 1),
        ("```python\nx = 1\n``` not the end\n```", 1),
        # Four spaces deeper, a fence is a line of what is shown.
        ("```markdown\n    ```python\n    x = 1\n    ```\n```", 0),
        ("````markdown\n```python\nx = 1\n```\n````", 0),
        ("```text\n```", 0),
        ("```\npython\n```", 0),
        # A triple backtick can quote code in the midst of a line, and at its beginning.
        ("```python x = 1``` is a code span.", 0),
        ("Text ```python.", 0),
        ("```pythonic\nx\n```", 0),
        ("```python\n```", 1),
    ],
)
def test_where_a_fence_begins_and_ends(body, expected):
    read = parse_page(f"---\n{KERNEL}---\n{body}\n\nafter\n", "docs/p.md", "p")
    assert len(read.blocks) == expected
    assert isinstance(read.parts[-1], Prose)
    assert read.parts[-1].text.endswith("after\n")
    if expected:
        lines = body.split("\n")
        assert read.blocks[0].source == "\n".join(lines[1:-1])


def test_a_page_without_a_kernel_may_show_what_is_not_run():
    text = 'a\n\n```python .noeval reason="a sketch"\nx ==\n```\n\n```bash\nls\n```\n'
    read = parse_page(text, "docs/p.md", "p")
    assert not read.is_notebook and read.blocks == ()
    assert read.parts[1].reason == "a sketch"


def test_an_include_is_shown_and_not_run():
    read = page(
        """
        ```python .noeval
        --8<-- "src/rnnnotes/training/ledger.py:Claim.accepts"
        ```

        ```python
        --8<-- "snippets/clip.py"
        ```
        """
    )
    fences = [part for part in read.parts if isinstance(part, Fence)]
    assert [fence.include for fence in fences] == [
        ("src/rnnnotes/training/ledger.py", "Claim.accepts"),
        ("snippets/clip.py", ""),
    ]
    assert read.blocks == ()


def test_options_are_read_and_not_shown():
    (block,) = page(
        """
        ```python
        #| caption:
        #|   - "first: `{python} a`"
        #|   - second
        #| description: [one, two]
        x = 1
        #| not an option
        ```
        """
    ).blocks
    assert block.option_list("caption") == ["first: `{python} a`", "second"]
    assert block.option_list("description") == ["one", "two"]
    assert block.option_list("label") == []
    assert block.shown == "x = 1\n#| not an option"


@pytest.mark.parametrize("empty", ["", "~", "[]", "['']", "[~]"])
def test_an_empty_option_is_no_text(empty):
    (block,) = page(f"```python\n#| caption: {empty}\nx\n```").blocks
    assert not any(block.option_list("caption"))


def test_a_readme_has_blocks_without_a_kernel():
    read = parse_page("# R\n\n```python\nx = 1\n```\n", "README.md", "README")
    assert [block.line for block in read.blocks] == [4]


# ---- values -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('`{python} f"{x:.2f}"`', ['f"{x:.2f}"']),
        ("`{python} x +\n   y`", ["x + y"]),
        ("``{python} `x```", []),  # the ticks do not pair
        ("`` `{python} x` ``", []),  # shows how it is written
        ("`{python}x`", []),
        ("`{ python} x`", []),
        ("` {python} x`", []),
        ("`{python}`", []),
        ("```{python} x```", ["x"]),
        # What is not closed in its paragraph, or is escaped, opens nothing.
        ("a ` b\n\n`{python} x`", ["x"]),
        ("a ` b\n   \n`{python} x`", ["x"]),
        ("a \\` b `{python} x`", ["x"]),
        ("`{python} x` and `{python} x` again", ["x"]),
        ("`a` `{python} x` `b` `{python} y`", ["x", "y"]),
    ],
)
def test_values_in_prose(text, expected):
    assert [value.code for value in page(text).values] == expected


def test_values_know_their_lines_and_captions_have_them_too():
    read = page(
        """
        One `{python} a` here,
        and `{python} b` there.

        ```python
        #| caption: "is `{python} c`"
        #| description: "`{python} d`, `{python} a`"
        x = "`{python} not_a_value`"
        ```

        | a | b |
        | --- | --- |
        | 1 | `{python} e` |
        """
    )
    lines = {value.code: value.line for value in read.values}
    assert lines == {
        "a": line_of(read, "One"),
        "b": line_of(read, "and"),
        "c": line_of(read, "#| caption"),
        "d": line_of(read, "#| caption"),
        "e": line_of(read, "| 1 |"),
    }


# ---- a page from random pieces is read back, with the right lines -----------------------------

words = st.text(st.sampled_from("abc xyz.,*_#$|<>{}()'\"é"), max_size=20).map(str.strip)
code_line = st.sampled_from(
    ["x = 1", "def f():", "    return 2", "", "# `{python} nothing`", "s = '''", "~~", "``", "#| x"]
)


@st.composite
def prose_pieces(draw, number):
    lines = draw(st.lists(words, min_size=1, max_size=4))
    values = []
    if draw(st.booleans()):
        at = draw(st.integers(0, len(lines) - 1))
        # Alone in its paragraph: what stands beside it may hold anything.
        lines[at:at] = ["", f"Value `{{python}} v{number}` here", ""]
        values.append((f"v{number}", at + 1))
    return {"lines": lines, "values": values}


@st.composite
def fence_pieces(draw, number):
    indent = " " * draw(st.sampled_from([0, 0, 4, 8]))
    mark = draw(st.sampled_from("`~")) * draw(st.integers(3, 5))
    inner = draw(st.lists(code_line, max_size=5))
    # A shorter run of the same mark, or any of the other, ends nothing.
    other = "~~~" if mark[0] == "`" else "```"
    inner += draw(
        st.sampled_from([[], [other], [mark[:-1]], [f"{mark} x"], [f"{indent}    {mark}"]])
    )
    kind = draw(st.sampled_from(["python", "text", "noeval", "include"]))
    info = {
        "python": draw(st.sampled_from(["python", 'python tags=["fold"]', " python"])),
        "text": draw(st.sampled_from(["", "text", "bash", "markdown"])),
        "noeval": 'python .noeval reason="because"',
        "include": "python .noeval",
    }[kind]
    if kind == "include":
        inner = ['--8<-- "a/b.py:c"']
    head = []
    if kind == "python":
        while inner and inner[0].startswith("#|"):
            inner.pop(0)
        if draw(st.booleans()):
            head = [f'#| caption: "`{{python}} c{number}`"']
    source = head + inner
    shown = [indent + line if line else "" for line in source]
    values = [(f"c{number}", 1)] if head else []
    lines = [indent + mark + info, *shown, indent + mark]
    return {"lines": lines, "values": values, "kind": kind, "source": "\n".join(source)}


@st.composite
def pages(draw):
    count = draw(st.integers(0, 8))
    return [draw(st.one_of(prose_pieces(n), fence_pieces(n))) for n in range(count)]


@settings(max_examples=300, deadline=None)
@given(pages())
def test_a_page_of_random_pieces_is_read_back_with_the_right_lines(pieces):
    lines = f"---\n{KERNEL}---".split("\n")
    blocks, others, values, empty = [], [], [], set()
    for piece in pieces:
        first = len(lines) + 1
        values += [(code, first + at) for code, at in piece["values"]]
        if "kind" in piece:
            found = (first + 1, piece["source"])
            (blocks if piece["kind"] == "python" else others).append(found)
            if len(piece["lines"]) == 2:
                empty.add(first + 1)
        lines += piece["lines"]
    lines.append("The end.")
    read = parse_page("\n".join(lines), "docs/p.md", "p")
    assert [(block.line, block.source) for block in read.blocks] == blocks
    fences = [part for part in read.parts if isinstance(part, Fence) and not part.runs]
    assert [(fence.line, fence.source) for fence in fences] == others
    assert [(value.code, value.line) for value in read.values] == values
    # Nothing is lost: prose and fences together are the page.
    again = lines[: read.body_line - 1]
    for part in read.parts:
        if isinstance(part, Prose):
            assert part.line == len(again) + 1
            again += part.text.split("\n")
        else:
            assert part.line == len(again) + 2
            inner = 0 if part.line in empty else part.source.count("\n") + 1
            again += lines[part.line - 2 : part.line + inner]
    assert again == lines


# ---- what is wrong with a page, and on which line ---------------------------------------------


def assert_error(text: str, needle: str, message: str, path: str = "docs/p.md") -> None:
    with pytest.raises(PageError, match=re.escape(message)) as caught:
        parse_page(text, path, "p")
    numbers = [number for number, line in enumerate(text.split("\n"), 1) if needle in line]
    assert caught.value.line == numbers[0], str(caught.value)
    assert str(caught.value).startswith(f"{path}:{numbers[0]}: ")


@pytest.mark.parametrize(
    ("front", "needle", "message"),
    [
        ("title: x\n", "---", "never closed"),
        ("title: x\nbad: [1\n---\n", "---", "the front matter is no YAML"),
        ("title: x\nbad: a: b\n---\n", "bad: a: b", "the front matter is no YAML: mapping values"),
        ("title: x\ntabbed:\n\t- y\n---\n", "\t- y", "the front matter is no YAML"),
        ("- a\n- b\n---\n", "- a", "expected front matter of names and values, got ['a', 'b']"),
        ("just words\n---\n", "just words", "expected front matter of names and values"),
        ("title: \x07\n---\n", "---", "the front matter is no YAML"),
        ("title: x\njupyter: yes\n---\n", "jupyter", "expected jupyter.kernelspec with language"),
        ("jupyter: {a: 1}\n---\n", "jupyter", "expected jupyter.kernelspec with language"),
        (
            "title: x\njupyter:\n  kernelspec: {language: julia, name: julia-1}\n---\n",
            "jupyter:",
            "expected jupyter.kernelspec with language: python, got {'language': 'julia'",
        ),
        (
            "title: x\njupyter:\n  kernelspec: {language: python, name: my-env}\n---\n",
            "kernelspec",
            "expected the kernel python3, which every Jupyter has, got 'my-env'",
        ),
        (f"title: x\n{KERNEL}rnnnotes: fast\n---\n", "rnnnotes: fast", "names and values, got 'f"),
        (f"{KERNEL}rnnnotes:\n  time_limit: -1\n---\n", "time_limit", "expected seconds as time_l"),
        (f"{KERNEL}rnnnotes:\n  time_limit: 1 min\n---\n", "time_limit", "got '1 min'"),
        (f"{KERNEL}rnnnotes: {{time_limit: .nan}}\n---\n", "time_limit", "got nan"),
    ],
)
def test_bad_front_matter_names_its_line(front, needle, message):
    if needle == "---":  # no better place is known than the first line, or where YAML gave up
        with pytest.raises(PageError, match=re.escape(message)):
            parse_page(f"---\n{front}", "docs/p.md", "p")
        return
    assert_error(f"---\n{front}\n# Title\n", needle, message)


@pytest.mark.parametrize(
    ("body", "needle", "message"),
    [
        ("a\n\n```python\nx = 1\n", "```python", "this fence is never closed"),
        ("a\n\n````\n```\n", "````", "this fence is never closed"),
        ("```python\nx\n```\n\n```\n", None, "this fence is never closed"),
        ("a\n```python .noeval\nx\n```", ".noeval", 'not run says why: .noeval reason="…"'),
        ('a\n```python .noeval reason=""\nx\n```', ".noeval", "not run says why"),
        ("a\n```python .noeval reason='single'\nx\n```", ".noeval", "not run says why"),
        ("a\n```python .noeval reason=none\nx\n```", ".noeval", "not run says why"),
        ("a\n```py\nx\n```", "```py", "expected the language python, got 'py'"),
        ("a\n```Python\nx\n```", "```Python", "expected the language python, got 'Python'"),
        ("a\n```python3\nx\n```", "```python3", "expected the language python, got 'python3'"),
        ("a\n```pycon\n>>> x\n```", "```pycon", "expected the language python, got 'pycon'"),
        ("a\n``` {.python .x}\nx\n```", "{.python", "expected the language python"),
        ("a\n```{python}\nx\n```", "{python}", "expected the language python"),
        ('a\n```python tags=["hide"]\nx\n```', "tags=", "a tag of hide-input, fold, got 'hide'"),
        ("a\n```python tags=[fold]\nx\n```", "tags=", 'expected tags=["…"], got tags=[fold]'),
        ('a\n```python tags="fold"\nx\n```', "tags=", 'behind python, got tags="fold"'),
        ('a\n```python tag=["fold"]\nx\n```', "tag=", "behind python, got tag="),
        ("a\n```python notest\nx\n```", "notest", "behind python, got notest"),
        ("```python\n#| caption: a\n#| tittle: b\nx\n```", "#| capt", "expected an option of capt"),
        ("```python\n#| caption: a\n#| description: b: c\nx\n```", "#| desc", "no YAML: mapping v"),
        ('```python\n#| caption: "a\n#| label: b\nx\n```', "#| label", "no YAML"),
        ("```python\n#| just words\nx\n```", "#| just", "expected #| name: value, got 'just wor"),
        ("```python\n#| caption: \x07\nx\n```", "#| caption", "the #| options are no YAML"),
        ('```text\na\n--8<-- "a.py"\n```', "a", "expected one --8<-- line alone in its fence"),
        # Markdown knows a fence in these places, and shows it as code: it must not be passed over.
        ("> ```python\n> x\n> ```", "```python", "a Python fence that nothing runs"),
        ("!!! note\n\n    > ```py\n    > x\n    > ```", "```py", "a Python fence that nothing"),
        ("!!! note\n\n\t```python\n\tx\n\t```", "```python", "a Python fence that nothing runs"),
        ("- ```python\n  x\n  ```", "```python", "a Python fence that nothing runs"),
        ("1. ~~~ {.python}\n   x\n   ~~~", "~~~", "a Python fence that nothing runs"),
    ],
)
def test_a_bad_body_names_its_line(body, needle, message):
    text = f"---\n{KERNEL}---\n\n{body}"
    if needle is None:
        with pytest.raises(PageError, match=message) as caught:
            parse_page(text, "docs/p.md", "p")
        assert caught.value.line == len(text.rstrip("\n").split("\n"))
        return
    if needle == "a":
        needle = "```text"
        with pytest.raises(PageError, match=re.escape(message)) as caught:
            parse_page(text, "docs/p.md", "p")
        assert caught.value.line == text.split("\n").index("```text") + 2
        return
    assert_error(text, needle, message)


@pytest.mark.parametrize(
    ("text", "needle", "message"),
    [
        ("# T\n\n```python\nx\n```\n", "```python", "a Python fence that nothing runs: give the p"),
        ("# T\n\n!!! a\n\n    ```python\n    x\n    ```\n", "```py", "a Python fence that nothing"),
        ("# T\n\nis `{python} x`\n", "{python}", "a computed value needs a kernel"),
    ],
)
def test_a_page_without_a_kernel_runs_nothing(text, needle, message):
    assert_error(text, needle, message)
    assert_error(f"---\ntitle: x\n---\n{text}", needle, message)


def test_reading_from_disk(tmp_path):
    docs = tmp_path / "docs"
    (docs / "part").mkdir(parents=True)
    file = docs / "part/x.md"
    file.write_bytes(f"\ufeff---\r\n{KERNEL}---\r\n\r\n```python\r\nx = 1\r\n```\r\n".encode())
    read = read_page(file, docs, tmp_path)
    assert (read.path, read.name) == ("docs/part/x.md", "part/x")
    assert read.is_notebook
    assert [(block.line, block.source) for block in read.blocks] == [(8, "x = 1")]
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(PageError, match=r"docs/part/x.md:1: expected UTF-8 text"):
        read_page(file, docs, tmp_path)
