"""``python -m service``: serve with the settings of the environment, for supervisors."""

from __future__ import annotations

import sys

from dysk.errors import DyskError
from dysk.workspace import Workspace
from service.run import serve
from service.settings import read


def main() -> None:
    """Read ``DYSK_…``, open the data folder, serve."""
    try:
        settings = read()
        workspace = Workspace(
            settings.data,
            model=settings.model,
            encoder=settings.encoder,
            graph_url=settings.graph_url,
        )
        serve(workspace, settings)
    except DyskError as error:
        sys.exit(f"dysk cannot serve: {error}")


if __name__ == "__main__":
    main()
