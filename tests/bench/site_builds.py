"""What a build costs beside the work that cannot be avoided, and what an edit runs."""

from pathlib import Path

from measure import Row, ratios
from whole_project import Project, WholeProject


def rows(project: WholeProject, repeats: int) -> list[Row]:
    """Leaves the project built, with everything kept."""
    project.forget()
    project.built()
    woven = project.weave("woven")
    if woven.code:
        raise SystemExit(woven.text)
    plain = Project(project.root / "woven")

    def plain_seconds() -> float:
        return WholeProject.build_seconds(plain)

    def cold_seconds() -> float:
        project.forget()
        return project.build_seconds()

    plain_seconds()
    cold = ratios(cold_seconds, lambda: project.warm_seconds() + plain_seconds(), repeats)
    project.built()
    again = ratios(project.build_seconds, plain_seconds, 2 * repeats + 1)
    return [
        Row("cold build / (blocks in warm processes + plain build)", cold, 1.25),
        Row("nothing changed / plain build of the woven tree", again, 1.5),
        Row("pages run when nothing changed", [len(project.ran())], 0),
        *_edits(project),
    ]


def _edits(project: WholeProject) -> list[Row]:
    page = project.pages[0]
    text = (project.root / page.path).read_text("utf-8")
    project.write(page.path, text.replace("\n# ", "\n# Again: ", 1) + "\nA few more words.\n")
    project.built()
    prose = len(project.ran())
    project.replace(page.path, page.blocks[-1].source, page.blocks[-1].source + "\npass  # edited")
    project.built()
    block = project.ran() ^ {page.name}

    module, pages = _telling_module(project.importers())
    file = _source(project, module)
    file.write_text(file.read_text("utf-8") + "\n# edited\n")
    project.built()
    return [
        Row("pages run when words and a heading changed", [prose], 0),
        Row("pages wrongly run or not, one block changed", [len(block)], 0),
        Row(f"pages wrongly run or not, {module} changed", [len(project.ran() ^ pages)], 0),
    ]


def _telling_module(importers: dict[str, set[str]]) -> tuple[str, set[str]]:
    """A module that some pages import and others do not, if there is one."""
    return min(importers.items(), key=lambda item: (len(item[1]), item[0]))


def _source(project: WholeProject, module: str) -> Path:
    stem = project.root / "src" / module.replace(".", "/")
    return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
