"""What `make audit` makes of what it is told."""

from __future__ import annotations

import json
import re

from tests.audit import PINS, verdict


def report(*packages: dict[str, object]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


WELL = {"name": "numpy", "version": "2.4.0", "vulns": []}
HOLE = {"id": "PYSEC-2026-1", "fix_versions": ["2.0.1"], "aliases": [], "description": "bad"}
HURT = {"name": "idna", "version": "2.0", "vulns": [HOLE]}
SKIPPED = {"name": "torch", "skip_reason": "Dependency not found"}


def test_a_known_vulnerability_fails_and_says_which_version_mends_it() -> None:
    status, said = verdict(report(WELL, HURT), "")
    assert status == 1
    assert "idna 2.0: PYSEC-2026-1, mended in 2.0.1" in said


def test_none_known_is_well() -> None:
    assert verdict(report(WELL), "") == (0, "no vulnerability is known in 1 packages")


def test_no_answer_is_no_failure_and_is_said_to_be_no_verdict() -> None:
    status, said = verdict("", "Traceback …\nConnectionError: Failed to resolve 'api.osv.dev'\n")
    assert status == 0
    assert said.startswith("UNKNOWN")
    assert "api.osv.dev" in said
    assert "no vulnerability" not in said


def test_a_package_that_was_not_looked_up_is_not_called_well() -> None:
    status, said = verdict(report(SKIPPED), "")
    assert status == 0
    assert said == "UNKNOWN: the service does not know torch"
    assert "in 1 packages" in verdict(report(WELL, SKIPPED), "")[1]


def test_every_file_of_pins_is_audited_and_has_exact_pins_only() -> None:
    assert {"constraints.txt", "models.txt", "tools.txt"} < {path.name for path in PINS}
    for path in PINS:
        for line in path.read_text().splitlines():
            assert re.fullmatch(r"#.*|[\w.-]+==[\w.]+|", line), line
