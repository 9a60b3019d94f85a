"""Imports and exports over REST, and the jobs that imports are."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from graph.errors import StoreUnavailable
from service.app import create_app
from service.jobs import ENDED, Jobs, Reading
from service.keys import KeyRing
from service.replies import JobOut
from service.settings import Settings
from tests.service.facts import FACTS, add, fact
from tests.service.fakes import FakeWorkspace
from tests.service.harness import Http, problem, wait_until

IMPORTS = "/v1/graphs/default/imports"
EXPORT = "/v1/graphs/default/export"
NDJSON = {"Content-Type": "application/x-ndjson"}


def lines(*facts: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in facts)


def results(response: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/x-ndjson"
    *bad, summary = [json.loads(line) for line in response.text.splitlines()]
    JobOut.model_validate({k: v for k, v in summary.items() if k != "type"}, strict=True)
    return bad, summary


def test_every_bad_line_is_told_and_the_rest_goes_in(http: Http) -> None:
    content = lines(fact("A"), {"subject": "B"}, fact("C")) + b"not JSON\n"
    bad, summary = results(http.post(IMPORTS, content=content, headers=NDJSON))
    assert [(line["type"], line["line"]) for line in bad] == [("bad", 2), ("bad", 4)]
    assert all(line["reason"] for line in bad)
    assert summary["type"] == "summary"
    assert (summary["status"], summary["added"], summary["bad_total"]) == ("done", 2, 2)
    assert [each["subject"] for each in http.get(FACTS).json()["facts"]] == ["A", "C"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", ["jsonl", "csv", "nt", "ttl"])
def test_what_is_exported_can_be_imported_elsewhere(http: Http, name: str, packed: bool) -> None:
    pytest.importorskip("pyoxigraph")
    add(
        http, fact("Norland", valid_from="2020"), fact("Südland", "Ben, “Reed”", valid_to="2021-05")
    )
    exported = http.get(EXPORT, params={"format": name})
    assert exported.headers["x-dysk-revision"] == "1"
    content = gzip.compress(exported.content) if packed else exported.content
    assert http.post("/v1/graphs", {"name": "copy"}).status_code == 201
    bad, summary = results(
        http.post(
            "/v1/graphs/copy/imports",
            content=content,
            headers={"Content-Type": exported.headers["content-type"].partition(";")[0]},
        )
    )
    assert (bad, summary["added"]) == ([], 2)
    kept = ("subject", "relation", "object", "valid_from", "valid_to")
    graphs = [http.get(f"/v1/graphs/{each}/facts").json()["facts"] for each in ("default", "copy")]
    first, second = [sorted([each[k] or "" for k in kept] for each in found) for found in graphs]
    assert first == second


def test_an_export_is_of_the_time_asked_for(http: Http) -> None:
    add(http, fact("A", valid_to="2020"), fact("B", valid_from="2020"))
    exported = http.get(EXPORT, params={"as_of": "2021"}).text
    subjects = [json.loads(line).get("subject") for line in exported.splitlines()]
    assert "B" in subjects
    assert "A" not in subjects


def test_columns_of_a_table_can_be_named(http: Http) -> None:
    table = b"Land,relation,Leader\nNorland,mayor,Ada Quill\n"
    _, summary = results(
        http.post(
            IMPORTS,
            content=table,
            headers={"Content-Type": "text/csv"},
            params={"columns": "Land=subject,Leader=object"},
        )
    )
    assert summary["added"] == 1
    refused = http.post(
        IMPORTS, content=b"", headers={"Content-Type": "text/csv"}, params={"columns": "Land"}
    )
    problem(refused, 400, "malformed_request")


@pytest.mark.parametrize("media_type", ["text/plain", "multipart/form-data", "", "text/html"])
def test_a_page_of_another_origin_cannot_send_a_file(http: Http, media_type: str) -> None:
    refused = http.post(IMPORTS, content=lines(fact()), headers={"Content-Type": media_type})
    problem(refused, 415, "unsupported_media_type")


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(
    workspace: FakeWorkspace, tmp_path: Path
) -> None:
    with Http(create_app(workspace, Settings(data=tmp_path, max_import_bytes=1024))) as http:
        refused = http.post(IMPORTS, content=b" " * 2000, headers=NDJSON)
        problem(refused, 413, "body_too_large")
        assert http.get("/v1/jobs").json() == {"jobs": []}
    assert not list(tmp_path.glob("jobs/*.part"))


def test_an_import_into_no_graph_is_a_404(http: Http) -> None:
    problem(http.post("/v1/graphs/nowhere/imports", content=b"", headers=NDJSON), 404, "not_found")


def test_a_job_can_be_watched_and_forgotten(http: Http) -> None:
    accepted = http.post(
        IMPORTS, content=lines(fact("A")), headers={**NDJSON, "Prefer": "respond-async"}
    )
    assert accepted.status_code == 202
    job = accepted.headers["location"]
    wait_until(lambda: http.get(job).json()["status"] == "done")
    found = http.get(job).json()
    assert (found["added"], found["bytes_read"], found["attempt"]) == (1, found["bytes"], 1)
    assert [each["id"] for each in http.get("/v1/jobs").json()["jobs"]] == [found["id"]]
    assert http.request("DELETE", job).status_code == 204
    problem(http.get(job), 404, "not_found")


def test_a_file_that_breaks_off_is_a_failed_job(http: Http) -> None:
    packed = gzip.compress(lines(*(fact(f"Town {n}") for n in range(2000))))[:-20]
    headers = {"Content-Type": "application/gzip"}
    *_, last = http.post(IMPORTS, content=packed, headers=headers).text.splitlines()
    summary = json.loads(last)
    assert summary["status"] == "failed"
    assert "gzip" in summary["error"]


def test_jobs_of_other_graphs_are_hidden(http: Http, workspace: FakeWorkspace) -> None:
    results(http.post(IMPORTS, content=lines(fact()), headers=NDJSON))
    [job] = http.get("/v1/jobs").json()["jobs"]
    workspace.graph("mine", create=True)
    _, secret = KeyRing(workspace.path).create("mine", "write", ["mine"])
    sent = {"headers": {"Authorization": f"Bearer {secret}"}}
    assert http.get("/v1/jobs", **sent).json() == {"jobs": []}
    problem(http.get(f"/v1/jobs/{job['id']}", **sent), 404, "not_found")
    problem(http.request("DELETE", f"/v1/jobs/{job['id']}", **sent), 404, "not_found")


def submit(jobs: Jobs, content: bytes) -> str:
    job_id, file = jobs.upload()
    with file:
        file.write(content)
    return jobs.submit(job_id, "default", Reading("jsonl")).id


def test_a_job_that_a_crash_broke_off_is_taken_up(workspace: FakeWorkspace) -> None:
    crashed = Jobs(workspace, max_waiting=5)  # never started: its process died before
    job_id = submit(crashed, lines(fact("A"), fact("B")))
    (workspace.path / "jobs" / "j-upload-cut-off.part").write_bytes(b"half")
    jobs = Jobs(workspace, max_waiting=5)
    jobs.start()
    wait_until(lambda: jobs.get(job_id).status in ENDED)
    assert (jobs.get(job_id).status, jobs.get(job_id).added) == ("done", 2)
    jobs.stop(10)
    assert not list(workspace.path.glob("jobs/*.part"))
    again = Jobs(workspace, max_waiting=5)
    again.start()
    assert again.get(job_id).attempt == 1, "what is done is not done again"
    again.stop(10)


def test_a_cancelled_job_stops_and_keeps_what_it_stored(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = workspace.graph().store
    began, may_go_on = threading.Event(), threading.Event()
    apply = store.apply

    def slow_apply(*arguments: Any, **options: Any) -> Any:
        began.set()
        assert may_go_on.wait(20)
        return apply(*arguments, **options)

    monkeypatch.setattr(store, "apply", slow_apply)
    jobs = Jobs(workspace, max_waiting=5)
    jobs.start()
    job_id = submit(jobs, lines(*(fact(f"Town {n}") for n in range(12_000))))
    assert began.wait(20)
    jobs.cancel(job_id)
    may_go_on.set()
    wait_until(lambda: not list(workspace.path.glob("jobs/*.part")))
    jobs.stop(10)
    assert jobs.get(job_id).status == "cancelled"
    assert workspace.graph().store.revision == 1


def test_a_store_that_fails_is_a_failed_job_that_says_why(
    workspace: FakeWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the disk is full: make room, and import again")

    monkeypatch.setattr(workspace.graph().store, "apply", full)
    jobs = Jobs(workspace, max_waiting=5)
    jobs.start()
    job_id = submit(jobs, lines(fact()))
    wait_until(lambda: jobs.get(job_id).status in ENDED)
    jobs.stop(10)
    assert jobs.get(job_id).status == "failed"
    assert jobs.get(job_id).error == "the disk is full: make room, and import again"


def test_more_jobs_than_may_wait_are_refused(workspace: FakeWorkspace, tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, max_waiting_jobs=0)
    app = create_app(workspace, settings)
    with Http(app) as http:
        submit(app.state.service.jobs, lines(fact()))
        app.state.service.jobs._jobs.update(  # one that waits, whatever the worker does
            {"j9": app.state.service.jobs.all()[0].__class__("j9", "default", Reading())}
        )
        refused = http.post(IMPORTS, content=b"", headers=NDJSON)
        problem(refused, 503, "too_many_jobs")
        assert refused.headers["retry-after"] == "10"
