"""The command line, ``dysk``: docs/cli.md lists its verbs and exit statuses."""

from dysk.cli.root import app, main

__all__ = ["app", "main"]
