"""When a kept run may be believed; and that nothing which is damaged ever is."""

import functools
import importlib.metadata
import json
import os
import platform
import random
import shutil
from pathlib import Path

import pytest

from rnnnotes.site import cache as cache_module
from rnnnotes.site.cache import Cache, write_whole
from rnnnotes.site.errors import LoomError
from rnnnotes.site.execute import Run
from woven_page import page, stream

BODY = """
Some prose, `{python} x`.

```python tags=["fold"]
#| caption: c
#| description: d
x = 1
```

```python
print(x)
```
"""


# Looking through all that is installed takes a third of a second, and never changes here.
installed = functools.cache(importlib.metadata.packages_distributions)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "packages_distributions", installed)
    for path in ("src/package/module.py", "src/package/other.py", "snippets/clip.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"# {path}\n")
    (tmp_path / "docs/part").mkdir(parents=True)
    (tmp_path / "docs/part/data.csv").write_text("1,2\n")
    return tmp_path


def cache_of(project: Path) -> Cache:
    """As the next build opens it."""
    return Cache(project / ".cache", project)


def run_of(project: Path) -> Run:
    return Run(
        outputs=[[], [stream("1\n")]],
        values={"x": "1"},
        files=[str(project / "src/package/module.py"), str(project / "docs/part/data.csv")],
        folders=[str(project / "snippets")],
        packages=["json", "numpy", "torch", "yaml", "rnnnotes"],
        seconds=1.5,
        cpu_seconds=1.25,
    )


@pytest.fixture
def kept(project):
    """A project with one page kept."""
    cache_of(project).store(page(BODY), run_of(project))
    return project


def believed(project: Path, body: str = BODY, **more) -> bool:
    return cache_of(project).load(page(body, **more)) is not None


def entry_of(project: Path) -> Path:
    return project / ".cache/pages/part/page.entry"


# ---- what is believed ----------------------------------------------------------------------------


def test_what_is_loaded_is_what_was_stored(project):
    stored = cache_of(project).store(page(BODY), run_of(project))
    loaded = cache_of(project).load(page(BODY))
    assert loaded == stored
    assert loaded["outputs"] == [[], [stream("1\n")]] and loaded["values"] == {"x": "1"}
    assert cache_of(project).seconds(page(BODY)) == 1.5


def test_nothing_is_known_of_a_page_that_never_ran(project):
    assert not believed(project)
    assert cache_of(project).seconds(page(BODY)) == float("inf")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Some prose", "Other words, and\nmore lines"),
        ("#| caption: c", '#| caption: "another $c$"'),
        ("#| caption: c\n#| description: d\n", ""),
        ('tags=["fold"]', 'tags=["hide-input"]'),
        ("```\n\n```python", "```\n\n```text\nx = 2\n```\n\n## A heading\n\n```python"),
    ],
)
def test_what_does_not_reach_the_kernel_does_not_count(kept, old, new):
    assert old in BODY
    assert believed(kept, BODY.replace(old, new))
    assert believed(kept, head="title: Another title\ntags: [x]\n")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = 1", "x = 2"),
        ("x = 1", "x = 1  # a comment"),
        ("`{python} x`", "`{python} x + 1`"),
        ("`{python} x`", "x"),
        ("#| caption: c", "#| caption: '`{python} y`'"),
        ("```python\nprint(x)\n```\n", ""),
        ("print(x)", "print(x)\n```\n\n```python\nx"),
        ("x = 1\n```\n\n```python\nprint(x)", "print(x)\n```\n\n```python\nx = 1"),
        ("```python\nprint", '```python .noeval reason="no"\nprint'),
    ],
)
def test_a_changed_block_or_value_is_not_believed(kept, old, new):
    assert old in BODY
    assert not believed(kept, BODY.replace(old, new))


def test_another_page_with_the_same_blocks_is_another_page(kept):
    assert not believed(kept, name="part/other")
    shutil.copy(entry_of(kept), entry_of(kept).with_name("other.entry"))
    assert not believed(kept, name="part/other")


# ---- what the run read ---------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["src/package/module.py", "docs/part/data.csv"])
def test_a_file_that_was_read_counts(kept, path):
    file = kept / path
    before = file.read_bytes()
    file.write_bytes(before + b"#")
    assert not believed(kept)
    file.unlink()
    assert not believed(kept)
    file.mkdir()
    assert not believed(kept)
    file.rmdir()
    file.write_bytes(before)  # as it was, whatever its date
    os.utime(file, (0, 0))
    assert believed(kept)


def test_a_file_that_was_not_read_does_not_count(kept):
    (kept / "src/package/other.py").write_text("changed\n")
    (kept / "src/package/new.py").write_text("new\n")
    assert believed(kept)


def test_the_names_in_a_folder_that_was_listed_count(kept):
    (kept / "snippets/clip.py").write_text("its content does not\n")
    (kept / "snippets/__pycache__").mkdir()
    assert believed(kept)
    (kept / "snippets/new.py").write_text("")
    assert not believed(kept)
    (kept / "snippets/new.py").unlink()
    assert believed(kept)
    (kept / "snippets/clip.py").rename(kept / "snippets/clap.py")
    assert not believed(kept)
    shutil.rmtree(kept / "snippets")
    assert not believed(kept)


@pytest.mark.parametrize("path", ["src/package/module.py", "docs/part/data.csv"])
def test_a_file_edited_while_pages_run_is_not_believed_as_it_is_now(project, path):
    building = cache_of(project)
    building.snapshot()
    (project / path).write_text("edited after the page had read it\n")
    building.store(page(BODY), run_of(project))
    assert building.load(page(BODY)) is None
    assert not believed(project)
    # Nor when the edit is taken back: nobody knows which of the two the page has read.
    (project / path).write_text(f"# {path}\n")
    assert not believed(project)


def test_an_edit_while_pages_run_spoils_no_other_page(project):
    building = cache_of(project)
    building.snapshot()
    (project / "src/package/other.py").write_text("not read by this page\n")
    building.store(page(BODY), run_of(project))
    assert believed(project)


def test_one_build_reads_a_file_once_and_the_next_reads_it_again(kept):
    same_build = cache_of(kept)
    assert same_build.load(page(BODY)) is not None
    (kept / "src/package/module.py").write_text("changed\n")
    assert not believed(kept)
    same_build.store(page(BODY), run_of(kept))  # ran again: as it is now
    assert believed(kept)


# ---- versions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("package", "counts"),
    [("torch", True), ("numpy", True), ("PyYAML", True), ("matplotlib", False), ("mkdocs", False)],
)
def test_the_version_of_an_imported_package_counts(kept, monkeypatch, package, counts):
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata,
        "version",
        lambda name: "0.0.1" if name.lower() == package.lower() else real(name),
    )
    assert believed(kept) is not counts


def test_a_package_that_is_gone_counts(kept, monkeypatch):
    def version(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert not believed(kept)


def test_the_interpreter_and_the_machine_count(kept, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(platform, "python_version", lambda: "3.99.0")
        assert not believed(kept)
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: "abacus")
        assert not believed(kept)
    assert believed(kept)


def test_the_code_that_runs_pages_counts_and_the_code_that_weaves_does_not(kept, monkeypatch):
    here = Path(cache_module.__file__).parent
    assert all((here / name).is_file() for name in cache_module.RUNNERS)
    assert not {"weave.py", "figures.py", "maths.py", "loom.py"} & set(cache_module.RUNNERS)
    monkeypatch.setattr(cache_module, "_runner_digest", lambda: "another")
    assert not believed(kept)


# ---- damage --------------------------------------------------------------------------------------


def test_a_part_of_an_entry_is_never_believed_and_never_raises(kept):
    file = entry_of(kept)
    whole = file.read_bytes()
    source = page(BODY)
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        building = cache_of(kept)
        assert building.load(source) is None, length
        assert building.seconds(source) > 0
    file.write_bytes(whole)
    assert believed(kept)


def test_a_flipped_bit_is_never_believed_and_never_raises(kept):
    file = entry_of(kept)
    whole = file.read_bytes()
    source = page(BODY)
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        file.write_bytes(damaged)
        assert cache_of(kept).load(source) is None, (at, damaged[at : at + 10])


def test_rubbish_is_never_believed_and_never_raises(kept):
    file, source = entry_of(kept), page(BODY)
    whole = file.read_bytes()
    chance = random.Random(0)
    rubbish = [b"", b"\n", b"\n" * 100, b"{}", b"null\nnull", b"\xff\xfe", b"\0" * 5000]
    rubbish += [whole + b" ", whole + b"\n", b"\n" + whole, whole * 2, whole[::-1]]
    rubbish += [whole[: len(whole) // 2] + b"\0" * (len(whole) // 2)]  # as after a power cut
    for _ in range(300):
        start, end = sorted(chance.sample(range(len(whole)), 2))
        noise = chance.randbytes(chance.randrange(20))
        rubbish.append(whole[:start] + noise + whole[end:])
    for content in rubbish:
        file.write_bytes(content)
        building = cache_of(kept)
        assert building.load(source) is None, content[:40]
        assert building.seconds(source) > 0


def test_an_entry_of_another_time_is_not_believed(kept, monkeypatch):
    """Whole and with a good checksum, but of a build that kept other things."""
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "FORMAT", cache_module.FORMAT + 1)
        assert not believed(kept)
    body = json.dumps({"key": "of another format"})
    write_whole(entry_of(kept), f"{cache_module._sha(body)}\n{body}")
    assert not believed(kept)


def test_a_folder_where_an_entry_should_be_is_not_believed(kept):
    entry_of(kept).unlink()
    entry_of(kept).mkdir()
    assert not believed(kept)
    assert cache_of(kept).seconds(page(BODY)) == float("inf")


# ---- writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["replace", "fsync", "chmod"])
def test_a_write_that_fails_leaves_the_old_content_and_no_litter(tmp_path, monkeypatch, fails):
    file = tmp_path / "a/file"
    write_whole(file, "old")

    def fail(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, fail)
    with pytest.raises(LoomError, match=r"a/file cannot be written: .*No space left"):
        write_whole(file, "new" * 1000)
    assert file.read_text() == "old"
    assert [path.name for path in file.parent.iterdir()] == ["file"]


def test_an_interrupt_in_the_midst_of_writing_leaves_the_old_content(tmp_path, monkeypatch):
    file = tmp_path / "file"
    write_whole(file, "old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, "new")
    assert file.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_cache_that_cannot_be_written_is_told_before_anything_runs(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LoomError, match=r"the cache folder .*taken.* cannot be written"):
        Cache(tmp_path / "taken", tmp_path).check_writable()
    with pytest.raises(LoomError, match="cannot be written"):
        Cache(tmp_path / "taken/below", tmp_path).check_writable()
    (tmp_path / "half").mkdir()
    (tmp_path / "half/pages").write_text("a file")
    with pytest.raises(LoomError, match="cannot be written"):
        Cache(tmp_path / "half", tmp_path).check_writable()
    Cache(tmp_path / "new/deep", tmp_path).check_writable()
    assert not [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
