"""Is a vulnerability known of any package that is pinned?

    python -m tests.audit            (or: make audit)

Asks the advisories of osv.dev by pip-audit. Exit status 1 when one is known; 0 when none is, and
also when the advisories cannot be reached, which is then said: no answer is no verdict.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

PINS = sorted((Path(__file__).parents[1] / "requirements").glob("*.txt"))
_AUDIT = (
    *("-m", "pip_audit", "--vulnerability-service", "osv", "--no-deps", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off"),
)


def main() -> int:
    """Ask, say what came of it, and return the exit status."""
    named = [word for file in PINS for word in ("--requirement", str(file))]
    done = subprocess.run(
        [sys.executable, *_AUDIT, *named], capture_output=True, text=True, check=False
    )
    status, said = verdict(done.stdout, done.stderr)
    print(said)
    return status


def verdict(report: str, log: str) -> tuple[int, str]:
    """The exit status and what to say of a report of pip-audit, and what it logged."""
    try:
        packages = json.loads(report)["dependencies"]
    except (ValueError, KeyError):
        last = (log.strip().splitlines() or ["it said nothing"])[-1]
        return 0, f"UNKNOWN: the advisory service could not be asked, so nothing is known. {last}"
    skipped = [each["name"] for each in packages if "skip_reason" in each]
    found = [
        f"{each['name']} {each['version']}: {hole['id']}, "
        f"mended in {', '.join(hole['fix_versions']) or 'no version yet'}"
        for each in packages
        for hole in each.get("vulns", [])
    ]
    lines = []
    if found:
        lines.append(f"VULNERABLE: {len(found)} known.")
        lines += sorted(found)
    elif len(skipped) < len(packages):
        lines.append(f"no vulnerability is known in {len(packages) - len(skipped)} packages")
    if skipped:
        lines.append(f"UNKNOWN: the service does not know {', '.join(sorted(skipped))}")
    return (1 if found else 0), "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
