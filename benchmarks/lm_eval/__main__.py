"""lm-evaluation-harness with ``--model dysk`` and the tasks of this folder added to its own."""

from __future__ import annotations

import sys
from pathlib import Path

TASKS = Path(__file__).parent


def main() -> None:
    """The harness's own command line; what it says of options holds here."""
    try:
        from lm_eval.__main__ import cli_evaluate
    except ImportError:
        sys.exit(
            "lm-evaluation-harness is not installed: "
            "pip install --requirement requirements/harness.txt"
        )
    from benchmarks.lm_eval import model  # noqa: F401 (registers itself)

    if "run" in sys.argv[1:2] and "--include_path" not in sys.argv:
        sys.argv += ["--include_path", str(TASKS)]
    cli_evaluate()


if __name__ == "__main__":
    main()
