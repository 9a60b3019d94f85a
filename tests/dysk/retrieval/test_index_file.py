from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dysk.retrieval import index_file

COLUMNS: dict[str, index_file.Column] = {
    "numbers": np.arange(6, dtype=np.int64).reshape(2, 3),
    "names": ["Zembla", "", "Ø\0x"],
}


def same(read: dict[str, object] | None) -> bool:
    return (
        read is not None
        and set(read) == set(COLUMNS)
        and read["names"] == COLUMNS["names"]
        and np.array_equal(np.asarray(read["numbers"]), COLUMNS["numbers"])
    )


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / index_file.NAME
    index_file.write(path, COLUMNS)
    assert same(index_file.read(path))
    assert list(tmp_path.iterdir()) == [path]


@given(st.lists(st.text(st.characters())))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_texts_come_back_whole(tmp_path: Path, texts: list[str]) -> None:
    path = tmp_path / "texts.npz"
    index_file.write(path, {"texts": texts})
    assert index_file.read(path) == {"texts": texts}


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert index_file.read(tmp_path / index_file.NAME) is None


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_none_or_still_says_what_was_written(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / index_file.NAME
    index_file.write(path, COLUMNS)
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[place:]
    else:
        content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    read = index_file.read(path)
    assert read is None or same(read)


def test_a_write_that_fails_leaves_what_was_there_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / index_file.NAME
    index_file.write(path, COLUMNS)
    with pytest.raises(UnicodeEncodeError):
        index_file.write(path, {"numbers": np.array(["\ud800"])} | {"x": _Failing()})
    assert same(index_file.read(path))
    assert list(tmp_path.iterdir()) == [path]


class _Failing(list[str]):
    """A column that cannot be written."""

    def __iter__(self):  # type: ignore[no-untyped-def]
        raise UnicodeEncodeError("utf-8", "", 0, 1, "no")


def test_dropping_takes_what_a_killed_writer_left_too_and_nothing_else(tmp_path: Path) -> None:
    index_file.write(tmp_path / index_file.NAME, COLUMNS)
    (tmp_path / f"{index_file.NAME}.123.part").write_bytes(b"half")
    (tmp_path / "graph.db").write_bytes(b"whole")
    index_file.drop(tmp_path)
    index_file.drop(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["graph.db"]
