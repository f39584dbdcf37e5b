"""``pytest --markdown-docs docs README.md`` runs the blocks of the pages, as our plugin says."""

pytest_plugins = ["rnnnotes.site.doctests"]
