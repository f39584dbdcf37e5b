"""What mkdocstrings does not know of the package: its public names, and its docstrings' dialect.

mkdocstrings reads the package by griffe, which runs none of it. To griffe an object stands where
it is defined; readers import it from ``rnnnotes``, and pages call that ``rn``.
"""

import re
from typing import Any

import griffe

SHORT = "rn"
ROLE = re.compile(r":(class|func|meth|data):`([\w.]+)`")
SOURCE = re.compile(r"^Source: (.+?)(?=\n\s*\n|\Z)", re.DOTALL | re.MULTILINE)


class PublicNames(griffe.Extension):
    """Puts every public object where the stubs say, and makes links of Sphinx's roles."""

    def on_package(self, *, pkg: griffe.Module, loader: griffe.GriffeLoader, **_: Any) -> None:
        """Renames what readers reach from ``rn``: ``rn.LSTMCell``, ``rn.tasks.adding``."""
        if pkg.path != "rnnnotes":
            return
        # Found first: where a function has the name of its file, it takes the file's place.
        public = [
            (package, name, pkg[path.removeprefix("rnnnotes.")], path)
            for package in (pkg, pkg["tasks"], pkg["plot"])
            for name, path in package.imports.items()
            if path.startswith(f"{package.path}.") and path.count(".") > package.path.count(".") + 1
        ]
        pkg.name = SHORT
        loader.modules_collection[SHORT] = pkg
        paths: dict[str, str] = {}
        for package, name, thing, path in public:
            package.members[name] = thing
            # Annotations are looked up from where an object stands now.
            pkg.members.setdefault(name, thing)
            thing.parent = package
            # Elsewhere an annotation names the file that a type comes from; its link leads here.
            thing.aliases[path] = thing
            paths[name] = thing.path
        for _, _, thing, _ in public:
            for part in (thing, *thing.members.values()):
                if part.docstring:
                    part.docstring.value = _markdown(part.docstring.value, thing, paths)
                    _retitle(part)


def _retitle(part: griffe.Object) -> None:
    """Mends what griffe's reading of a docstring does to ours."""
    for section in part.docstring.parsed:
        if section.kind is griffe.DocstringSectionKind.parameters:
            section.title = "Arguments:"  # a module's parameters are its weights
        elif section.kind is griffe.DocstringSectionKind.returns:
            for item in section.value:
                # A colon within a sentence: what stands before it is no type.
                if isinstance(item.annotation, str):
                    item.description = f"{item.annotation}: {item.description}"
                    item.annotation = part.annotation


def _markdown(text: str, thing: griffe.Object, paths: dict[str, str]) -> str:
    """A docstring with Markdown's links for Sphinx's roles, and a mark at its source."""

    def link(role: re.Match[str]) -> str:
        kind, name = role[1], role[2].rpartition(".")[2]
        if kind == "meth" and name in thing.members:
            return f"[`{name}`][{thing.path}.{name}]"
        path = paths.get(name)
        return f"[`{path}`][{path}]" if path else f"`{name}`"

    return SOURCE.sub(r"Source: \1\n{: .rn-source}", ROLE.sub(link, text))
