"""What a build costs beside the work that cannot be avoided, and what an edit runs."""

from pathlib import Path

from measure import Row, ratios
from whole_project import Project, WholeProject, build_seconds


def rows(project: WholeProject, repeats: int) -> list[Row]:
    """Leaves the project built, with everything kept."""
    plain = Project(project.root / "woven")

    def cold() -> float:
        project.forget()
        return build_seconds(project)

    def unavoidable() -> float:
        if not plain.root.exists():  # the first cold build has come before
            woven = project.weave("woven")
            if woven.code:
                raise SystemExit(woven.text)
            build_seconds(plain)
        return project.warm_seconds() + build_seconds(plain)

    from_nothing = ratios(cold, unavoidable, repeats)
    build_seconds(project)
    again = ratios(lambda: build_seconds(project), lambda: build_seconds(plain), 5)
    return [
        Row("cold build / (blocks in warm processes + plain build)", from_nothing, 1.25),
        Row("nothing changed / plain build of the woven tree", again, 1.5),
        Row("pages run when nothing changed", [len(project.ran())], 0),
        *_edits(project),
    ]


def _edits(project: WholeProject) -> list[Row]:
    page = project.pages[0]
    file = project.root / page.path
    file.write_text(file.read_text("utf-8") + "\nA few more words.\n", "utf-8")
    build_seconds(project)
    prose = len(project.ran())
    project.replace(page.path, page.blocks[0].source, page.blocks[0].source + "\npass  # edited")
    build_seconds(project)
    block = project.ran() ^ {page.name}

    module, pages = _telling_module(project.importers())
    file = _source(project, module)
    file.write_text(file.read_text("utf-8") + "\n# edited\n")
    build_seconds(project)
    return [
        Row("pages run when words of prose changed", [prose], 0),
        Row("pages wrongly run or not, one block changed", [len(block)], 0),
        Row(
            f"pages wrongly run or not, {module} changed ({len(pages)} of {len(project.pages)})",
            [len(project.ran() ^ pages)],
            0,
        ),
    ]


def _telling_module(importers: dict[str, set[str]]) -> tuple[str, set[str]]:
    """A module that some pages import and others do not, if there is one."""
    return min(importers.items(), key=lambda item: (len(item[1]), item[0]))


def _source(project: WholeProject, module: str) -> Path:
    stem = project.root / "src" / module.replace(".", "/")
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
