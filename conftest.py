"""``pytest --markdown-docs docs README.md`` runs the blocks of the pages, as our plugin says."""

import os

pytest_plugins = ["rnnnotes.site.doctests"]

# An older ipykernel's debugger else warns on stderr, when a block imports it outside of a kernel.
os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
