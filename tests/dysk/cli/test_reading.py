"""The verbs that look: timeline and changes, in text, JSON and live."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.dysk.cli.calls import add, command, environment, read, run, succeed


def fill(data: Path) -> tuple[str, str]:
    succeed(data, "relation", "capital", "--cardinality", "one")
    older = add(data, "Kazakhstan", "capital", "Almaty", "--from", "1991", "--source", "atlas")
    return older, add(data, "Kazakhstan", "capital", "Astana", "--from", "1997")


def test_a_timeline_runs_from_the_oldest_start_to_the_newest(tmp_path: Path) -> None:
    older, newer = fill(tmp_path)
    added_late = add(tmp_path, "Kazakhstan", "currency", "tenge", "--from", "1993-11-15")
    facts = read(tmp_path, "timeline", "Kazakhstan")["facts"]
    assert [fact["id"] for fact in facts] == [older, added_late, newer]
    lines = succeed(tmp_path, "timeline", "Kazakhstan").splitlines()
    assert lines[0].split() == [
        "from", "to", "subject", "relation", "object", "status", "id", "source",
    ]  # fmt: skip
    assert lines[1].split() == [
        "1991", "1997", "Kazakhstan", "capital", "Almaty", "superseded", older, "atlas",
    ]  # fmt: skip


def test_a_pipe_gets_long_text_uncut(tmp_path: Path) -> None:
    long = "Ministry of " + "very " * 60 + "long names"
    add(tmp_path, "UK", "ministry", long)
    result = run(tmp_path, "timeline", "UK")
    assert long in result.stdout


def test_output_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    add(tmp_path, "Zürich", "名前", "Łódź")
    surroundings = environment(PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    for form in ("text", "json"):
        result = run(tmp_path, "--output", form, "timeline", "Zürich", env=surroundings)
        assert result.returncode == 0, result.stderr
        assert "名前" in result.stdout


def test_changes_name_every_commit_and_what_it_did(tmp_path: Path) -> None:
    older, newer = fill(tmp_path)
    shown = succeed(tmp_path, "changes")
    assert shown.startswith("revision 1, ")
    assert "relation   capital: one" in shown
    assert f"add        {newer}  Kazakhstan · capital · Astana (1997 –)" in shown
    assert f"supersede  {older}  Kazakhstan · capital · Almaty (1991 – 1997)" in shown


def test_the_json_of_changes_is_one_commit_a_line_and_gapless(tmp_path: Path) -> None:
    fill(tmp_path)
    commits = [
        json.loads(line) for line in succeed(tmp_path, "--output", "json", "changes").splitlines()
    ]
    assert [commit["revision"] for commit in commits] == [1, 2, 3]
    assert commits[0]["changes"][0]["relation"]["name"] == "capital"
    kinds = sorted(change["kind"] for change in commits[2]["changes"])
    assert kinds == ["add", "supersede"]


def test_changes_since_a_revision_begin_after_it(tmp_path: Path) -> None:
    fill(tmp_path)
    shown = succeed(tmp_path, "--output", "json", "changes", "--since", "2")
    assert [json.loads(line)["revision"] for line in shown.splitlines()] == [3]
    assert succeed(tmp_path, "changes", "--since", "3") == ""


def test_following_shows_a_later_commit_and_ends_on_ctrl_c_without_a_traceback(
    tmp_path: Path,
) -> None:
    add(tmp_path, "UK", "capital", "London")
    follower = subprocess.Popen(
        command(tmp_path, "--output", "json", "changes", "--follow"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    )
    try:
        assert follower.stdout is not None
        assert json.loads(follower.stdout.readline())["revision"] == 1
        add(tmp_path, "France", "capital", "Paris")
        later = json.loads(follower.stdout.readline())
        assert later["changes"][0]["after"]["object"] == "Paris"
        follower.send_signal(signal.SIGINT)
        _, said = follower.communicate(timeout=30)
    finally:
        follower.kill()
    assert follower.returncode == 130
    assert "Traceback" not in said


def test_a_reader_that_goes_away_is_no_error_worth_a_traceback(tmp_path: Path) -> None:
    for number in range(40):
        add(tmp_path, f"thing {number}", "note", "x" * 1900)
    writer = subprocess.Popen(
        command(tmp_path, "export"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        env=environment(),
    )
    assert writer.stdout is not None
    assert writer.stderr is not None
    writer.stdout.readline()
    writer.stdout.close()
    said = writer.stderr.read()
    writer.stderr.close()
    writer.wait(timeout=30)
    assert "Traceback" not in said
