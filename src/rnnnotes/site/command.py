"""``rnnnotes-weave OUT``: writes the woven pages as plain Markdown, for any other site builder.

The tree holds ``mkdocs.yml`` without the two plugins that make notebooks into pages, and
``docs/`` with every page woven, every figure in it, and the notebooks to download. It builds with
plain MkDocs, with Zensical, or with whatever else reads Markdown. The pages of the API ask
mkdocstrings for the package, which is then read from where it is installed.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from rnnnotes.site.blocks import PageSource
from rnnnotes.site.errors import LoomError
from rnnnotes.site.folders import clear_staged, replace_folder
from rnnnotes.site.lock import Lock
from rnnnotes.site.loom import Loom, Settings

OURS = ("rnnnotes", "mkdocs-jupyter")
MARK = "# Woven by rnnnotes-weave; written anew each time.\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 when the tree was written."""
    parser = argparse.ArgumentParser(prog="rnnnotes-weave", description=__doc__)
    parser.add_argument("out", type=Path, help="the folder to write (replaced as a whole)")
    parser.add_argument("--config", type=Path, default=Path("mkdocs.yml"))
    options = parser.parse_args(arguments)
    try:
        pages = weave_tree(options.config.resolve(), options.out.resolve())
    except LoomError as error:
        print(f"rnnnotes-weave: {error}", file=sys.stderr)
        return 1
    print(f"{pages} pages woven into {options.out}")
    return 0


def weave_tree(config_file: Path, out: Path) -> int:
    """Weaves the site that ``config_file`` describes into ``out``; returns the number of pages.

    Raises:
        LoomError: no such configuration, a folder that something else has written, or whatever
            stops a build; ``out`` is then as it was.
    """
    try:
        config = yaml.safe_load(config_file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise LoomError(f"expected a readable mkdocs.yml, got {config_file}: {error}") from None
    if out.exists() and not _is_ours(out):
        raise LoomError(f"{out} holds something that rnnnotes-weave did not write: remove it first")
    root = config_file.parent
    docs = root / config.get("docs_dir", "docs")
    settings = _settings(config, root, docs)
    lock = Lock(settings.cache, settings.report)
    lock.take()
    staged = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        loom = Loom(settings, print)
        loom.cache.check_writable()
        files = sorted(docs.rglob("*.md"))
        loom.prepare([file for file in files if not _hidden(file, docs)])
        clear_staged(out)
        _write(loom, config, docs, staged)
        replace_folder(staged, out)
    except OSError as error:
        raise LoomError(f"{out} cannot be written: {error}") from None
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        lock.release()
    return len(loom.pages)


def _is_ours(out: Path) -> bool:
    config = out / "mkdocs.yml"
    return not any(out.iterdir()) or (
        config.is_file() and config.read_text("utf-8").startswith(MARK)
    )


def _hidden(file: Path, docs: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(docs).parts)


def _settings(config: dict[str, Any], root: Path, docs: Path) -> Settings:
    ours: dict[str, Any] = {}
    for plugin in config.get("plugins", []):
        if isinstance(plugin, dict) and "rnnnotes" in plugin:
            ours = plugin["rnnnotes"] or {}
    return Settings(
        root=root,
        docs=docs,
        cache=root / ours.get("cache_dir", ".cache/rnnnotes"),
        report=root / ours.get("report", "build/report.json"),
        jobs=ours.get("jobs", 0),
        time_limit=ours.get("time_limit", 120),
        site_name=config.get("site_name", ""),
        site_url=config.get("site_url", ""),
        cards_for=config["site_name"] if ours.get("social_cards") else "",
    )


def _write(loom: Loom, config: dict[str, Any], docs: Path, out: Path) -> None:
    shutil.copytree(docs, out / "docs", ignore=shutil.ignore_patterns("*.md"))
    texts = {
        f"{name}.md": _front_matter(loom.pages[name]) + woven.markdown
        for name, woven in loom.woven.items()
    }
    for path, content in (texts | loom.files()).items():
        file = out / "docs" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    plain = {key: value for key, value in config.items() if key not in ("docs_dir", "site_dir")}
    plain["plugins"] = [plugin for plugin in config.get("plugins", []) if _name(plugin) not in OURS]
    text = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)
    if (docs / ".theme").is_dir():
        text = text.replace(f"{docs.name}/.theme", "docs/.theme")
    (out / "mkdocs.yml").write_text(MARK + text, "utf-8")


def _name(plugin: Any) -> str:
    return next(iter(plugin)) if isinstance(plugin, dict) else plugin


def _front_matter(page: PageSource) -> str:
    """What other builders read of it: a kernel would only mislead them."""
    kept = {key: page.meta[key] for key in page.meta if key not in ("jupyter", "rnnnotes")}
    return f"---\n{yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)}---\n" if kept else ""


if __name__ == "__main__":
    sys.exit(main())
