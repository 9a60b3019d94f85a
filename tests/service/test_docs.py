"""docs/service.md says what is so; its commands are run by ``tests/test_commands.py``."""

from __future__ import annotations

import re
from pathlib import Path

from service.settings import Settings
from tests.service.harness import Http

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "service.md").read_text()


def test_every_setting_is_in_the_table_with_its_default() -> None:
    fields = {name: field.default for name, field in Settings.model_fields.items()}
    named = set(re.findall(r"DYSK_([A-Z_]+)`", PAGE)) - {"URL", "API_KEY"}  # the client's
    assert named == {name.upper() for name in fields}
    for name in ("host", "port", "max_body_bytes", "concurrent_asks", "max_waiting_asks"):
        assert str(fields[name]) in PAGE


def test_every_path_in_the_table_exists(http: Http) -> None:
    known = {
        f"{method.upper()} {re.sub(r'{[a-z_]+}', '{}', path)}"
        for path, methods in http.get("/openapi.json").json()["paths"].items()
        for method in methods
    }
    listed = re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/[^`?]*)", PAGE)
    assert len(listed) >= 12
    for method, path in listed:
        full = path if path.startswith(("/v1", "/health", "/ready")) else f"/v1/graphs/{{}}{path}"
        assert f"{method} {re.sub(r'{[a-z]+}', '{}', full)}" in known, path
