"""A copy of the whole project, for builds that must not disturb the one that people look at."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from measure import seconds

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rnnnotes.site.blocks import PageSource, read_page
from rnnnotes.site.execute import ONE_THREAD
from site_project import REPOSITORY, Project

MADE = ("site", "build")


def build_seconds(project: Project) -> float:
    """Builds the site of any project; it must come out well."""
    built = []
    taken = seconds(lambda: built.append(project.build()))
    if built[0].code:
        raise SystemExit(f"bench: a build failed:\n{built[0].text}")
    return taken


class WholeProject(Project):
    """The project as it is now, without anything that was built or kept."""

    patience = 3600

    @classmethod
    def create(cls, root: Path) -> "WholeProject":
        root.mkdir(parents=True)
        for source in REPOSITORY.iterdir():
            if source.name.startswith(".") or source.name in MADE:
                continue
            if source.is_dir():
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, root / source.name, ignore=ignored)
            else:
                shutil.copy(source, root)
        project = cls(root)
        # Byte code is there in every build but the very first.
        compiling = [sys.executable, "-m", "compileall", "-q", str(root / "src")]
        subprocess.run(compiling, env=project.environment(), check=True)
        return project

    @property
    def pages(self) -> list[PageSource]:
        """The pages that are run."""
        files = sorted(self.docs.rglob("*.md"))
        pages = [read_page(file, self.docs, self.root) for file in files]
        return [page for page in pages if page.is_notebook]

    def forget(self) -> None:
        """As after a fresh clone: nothing built, nothing kept."""
        for name in (".cache", "site", "build"):
            shutil.rmtree(self.root / name, ignore_errors=True)

    def build_kept(self) -> None:
        """Builds without running what the project itself has kept, if that can be believed."""
        kept = REPOSITORY / ".cache" / "rnnnotes"
        if not (self.root / ".cache").exists() and kept.is_dir():
            shutil.copytree(kept, self.root / ".cache" / "rnnnotes")
        build_seconds(self)

    def warm_seconds(self) -> float:
        """The blocks alone, in warm processes, on all cores; loading torch is not counted."""
        cores = len(os.sched_getaffinity(0))
        jobs = min(cores, len(self.pages))
        listed = [
            {
                "path": page.path,
                "folder": str((self.root / page.path).parent),
                "blocks": [block.source for block in page.blocks],
                "loaded": str(self._loaded(page)),
            }
            for page in self.pages
        ]
        file = self.root.with_name("pages.json")
        file.write_text(json.dumps(listed))
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm_pages.py"), str(jobs), file],
            env=self.environment(
                **ONE_THREAD, MPLBACKEND="agg", LOKY_MAX_CPU_COUNT=str(max(1, cores // jobs))
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            process.stdout.readline()
            process.stdin.write("go\n")
            process.stdin.flush()
            taken = seconds(process.stdout.readline)
        if process.returncode:
            raise SystemExit("bench: a block failed in a warm process: see above")
        return taken

    def _loaded(self, page: PageSource) -> Path:
        return self.root.with_name(page.name.replace("/", "-") + ".loaded")

    def importers(self) -> dict[str, set[str]]:
        """The modules of rnnnotes and the pages that had loaded them in ``warm_seconds``."""
        found: dict[str, set[str]] = {}
        for page in self.pages:
            for module in json.loads(self._loaded(page).read_text()):
                found.setdefault(module, set()).add(page.name)
        return found
