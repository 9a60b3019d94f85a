"""``python -m tests.service.serve_tools FOLDER``: the tools for agents over stdio, fake models."""

from __future__ import annotations

import sys
from pathlib import Path

from service.mcp_cli import _OneGraph
from service.mcp_tools import make_server
from tests.service.fakes import FakeWorkspace

if __name__ == "__main__":
    with FakeWorkspace(Path(sys.argv[1])) as workspace:
        make_server(_OneGraph(workspace.graph()), "").run("stdio")
