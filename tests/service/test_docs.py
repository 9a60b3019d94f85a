"""docs/service.md and the REST part of README.md say what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.settings import Settings
from tests.service.harness import Http

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "service.md").read_text()


@pytest.mark.parametrize(("page", "least"), [("docs/service.md", 7), ("README.md", 6)])
def test_the_walk_through_works_as_it_stands(http: Http, page: str, least: int) -> None:
    graph, media_type = "http://127.0.0.1:8000/v1/graphs/default", "Content-Type: application/json"
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    calls = [call for block in blocks for call in re.split(r"\n(?=curl )", block) if "curl" in call]
    files: dict[str, bytes] = {}
    answered = 0
    for call in calls:
        words = shlex.split(call[call.index("curl ") :], comments=True)
        words = [word.replace("$G", graph).replace("$J", media_type) for word in words]
        if "-N" in words:
            continue  # the endless stream, which tests/service/test_changes.py follows
        url = urlsplit(next(word for word in words if word.startswith("http")))
        body: str | bytes | None = words[words.index("-d") + 1] if "-d" in words else None
        if "--data-binary" in words:
            body = files[words[words.index("--data-binary") + 1].removeprefix("@")]
        headers = dict([words[words.index("-H") + 1].split(": ", 1)]) if "-H" in words else {}
        method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
        response = http.request(
            method,
            url.path + (f"?{url.query}" if url.query else ""),
            content=body,
            headers=headers,
        )
        assert response.status_code < 300, (call, response.text)
        if "-o" in words:
            files[words[words.index("-o") + 1]] = response.content
        answered += 1
    assert answered >= least


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
