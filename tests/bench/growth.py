"""How the time of a build grows with the number of pages.

Sites of the corpus's prose, with blocks that take milliseconds, so that what is measured is the
loom and not the pages; with a glossary and pictures for links, as the project has them.
"""

import math
import shutil
from pathlib import Path

import peers
import yaml
from measure import Row, ratios
from whole_project import REPOSITORY, Project, build_seconds

from rnnnotes.site.blocks import Fence, PageSource
from site_project import KERNEL

SIZES = (5, 50, 200)
FOLDER = 10  # pages in one part of the site
KINDS = {
    "cold": "cold build",
    "again": "nothing changed",
    "plain": "plain build of the woven tree",
}


def site(root: Path, count: int) -> Project:
    """A project of ``count`` pages."""
    project = Project.create(root)
    project.patience = 3600  # two hundred pages take minutes
    project.configure(social_cards=True)
    project.write("docs/reference/glossary.md", "# Glossary\n\n<!-- rnnnotes: glossary -->\n")
    terms = yaml.safe_load((REPOSITORY / "docs/glossary.yml").read_text("utf-8"))
    homes = [{**term, "page": "index"} for term in terms]
    project.write("docs/glossary.yml", yaml.safe_dump(homes, allow_unicode=True))
    pages = list(peers.corpus().values())
    for number in range(count):
        text = light(pages[number % len(pages)], number)
        project.write(f"docs/part-{number // FOLDER}/page-{number}.md", text)
    return project


def light(page: PageSource, number: int) -> str:
    """The page with blocks of milliseconds, and like no other page of that site."""
    head = f"---\ntitle: {page.meta['title']} {number}\n{KERNEL}---\n"
    body, seen = [], 0
    for part in page.parts:
        if not isinstance(part, Fence):
            text = part.text.replace(f"# {page.meta['title']}", f"# {page.meta['title']} {number}")
            body.append(text.replace(" a ", f" a (numbered {number}) ", 1))
            continue
        seen += 1
        options = [line for line in part.source.split("\n") if line.startswith("#|")]
        if options:
            options += [f"plt.plot([{number}, {seen}, {number + seen}]);"]
        elif seen == 1:
            options = ["import matplotlib.pyplot as plt"]
        else:
            options = [f"numbers = [{number} * n for n in range(9)]", "print(sum(numbers))"]
        body.append("\n".join(["```python", *options, "```"]))
    return head + "\n".join(body)


def rows(folder: Path, repeats: int) -> list[Row]:
    """Seconds a page of a cold build, and of one with nothing changed beside plain MkDocs."""
    found: list[Row] = []
    medians: dict[tuple[str, int], float] = {}
    for count in SIZES:
        project = site(folder / f"pages-{count}", count)
        times: dict[str, list[float]] = {"cold": [], "again": [], "plain": []}

        def timed(kind: str, build, times=times) -> float:
            times[kind].append(build())
            return times[kind][-1]

        # From nothing; the largest site once, for it takes long and wavers little.
        for _ in range(repeats if count < max(SIZES) else 1):
            for made in (".cache", "site", "build"):
                shutil.rmtree(project.root / made, ignore_errors=True)
            timed("cold", lambda project=project: build_seconds(project))
            if len(project.ran()) != count:
                raise SystemExit(f"bench: expected {count} pages to run, got {len(project.ran())}")
        woven = project.weave("woven")
        if woven.code:
            raise SystemExit(f"bench: {woven.text}")
        plain = Project(project.root / "woven")
        build_seconds(plain)
        beside = ratios(
            lambda project=project: timed("again", lambda: build_seconds(project)),
            lambda plain=plain: timed("plain", lambda: build_seconds(plain)),
            repeats,
        )
        if project.ran():
            raise SystemExit(f"bench: pages ran with nothing changed: {sorted(project.ran())}")
        for kind, label in KINDS.items():
            each = [taken / count for taken in times[kind]]
            row = Row(f"{label}, {count} pages: each", each, None, "s", subject=(kind, count))
            found.append(row)
            medians[kind, count] = row.measured
        found.append(Row(f"nothing changed, {count} pages / plain build", beside, 1.5))
    return found + [_exponent(kind, medians) for kind in KINDS]


def _exponent(kind: str, each: dict[tuple[str, int], float]) -> Row:
    """p of seconds ~ pages^p, over the last two sizes: at the first, what is fixed weighs most."""
    *_, some, most = SIZES
    rise = math.log(each[kind, most] / each[kind, some]) / math.log(most / some) + 1
    label = f"exponent of growth from {some} to {most} pages: {KINDS[kind]}"
    return Row(label, [rise], None if kind == "plain" else 1.1, subject=(kind, "exponent"))
