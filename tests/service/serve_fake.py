"""``python -m tests.service.serve_fake FOLDER PORT``: the service over fake models, a process."""

from __future__ import annotations

import sys
from pathlib import Path

from service.run import serve
from service.settings import Settings
from tests.service.fakes import FakeWorkspace

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    serve(FakeWorkspace(folder), Settings(data=folder, port=int(sys.argv[2])))
