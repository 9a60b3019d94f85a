from __future__ import annotations

import subprocess
import sys


def test_importing_retrieval_loads_no_model_library_and_no_index() -> None:
    """They are loaded where an encoder or an index is made: a command that only writes is quick."""
    code = """
import sys
from dysk.retrieval import (
    coarse, dates, encoder, exact, fusion, keys, mentions, names, time, verbalize
)
print([name for name in ("faiss", "torch", "transformers") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
