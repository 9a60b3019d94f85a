"""The cache of vectors on disk: what it returns, what it survives, and that it forgets."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.retrieval.vector_file import Halves, VectorFile, forget_texts, key_of
from graph import StoreUnavailable

DIM = 64


def vector(text: str, encoder: str = "a") -> Halves:
    """Bytes that no other text or encoder has."""
    seed = [*text.encode(), 0, *encoder.encode()]
    return np.random.default_rng(seed).random(DIM).astype(np.float16)


def add(file: VectorFile, *texts: str, encoder: str = "a") -> None:
    file.add({key_of(text): vector(text, encoder) for text in texts}, encoder)


def kept(file: VectorFile, *texts: str, encoder: str = "a") -> set[str]:
    """Those of the texts that the file has the right vector of."""
    found = file.read([key_of(text) for text in texts], encoder)
    for text in texts:
        if key_of(text) in found:
            np.testing.assert_array_equal(found[key_of(text)], vector(text, encoder))
    return {text for text in texts if key_of(text) in found}


def bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vectors.db"


@pytest.fixture
def file(path: Path) -> Iterator[VectorFile]:
    opened = VectorFile(path)
    yield opened
    opened.close()


def test_each_encoder_has_its_own_vectors(file: VectorFile) -> None:
    add(file, "ship", "lane")
    add(file, "ship", encoder="b")
    assert kept(file, "ship", "lane", "quay") == {"ship", "lane"}
    assert kept(file, "ship", "lane", encoder="b") == {"ship"}


def test_a_text_is_forgotten_whichever_encoder_made_its_vector(
    file: VectorFile, path: Path
) -> None:
    for encoder in "ab":
        add(file, "ship", "lane", encoder=encoder)
    forget_texts(path, ["ship"])
    for encoder in "ab":
        assert kept(file, "ship", "lane", encoder=encoder) == {"lane"}


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.sets(st.integers(0, 400), min_size=1, max_size=60)), max_size=8
    )
)
def test_no_byte_of_a_forgotten_vector_stays_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, set[int]]]
) -> None:
    folder = tmp_path_factory.mktemp("vectors")
    file = VectorFile(folder / "vectors.db")
    held: set[str] = set()
    for adds, numbers in steps:
        texts = {f"text {n}" for n in numbers}
        if adds:
            add(file, *texts)
            held |= texts
        else:
            file.forget([key_of(text) for text in texts])
            held -= texts
    file.close()
    on_disk = bytes_in(folder)
    for n in range(401):
        assert (vector(f"text {n}").tobytes() in on_disk) == (f"text {n}" in held)
        assert (key_of(f"text {n}") in on_disk) == (f"text {n}" in held)


def test_forgetting_where_there_is_no_file_makes_none(path: Path) -> None:
    forget_texts(path, ["ship"])
    assert not path.exists()


@pytest.mark.parametrize("content", [b"not a database" * 500, b"\0" * 8_192])
def test_a_damaged_file_is_made_anew(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    file = VectorFile(path)
    add(file, "ship")
    assert kept(file, "ship") == {"ship"}
    file.close()
    again = VectorFile(path)
    assert kept(again, "ship") == {"ship"}
    again.close()


def test_a_closed_file_says_so(file: VectorFile) -> None:
    file.close()
    file.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        kept(file, "ship")
    with pytest.raises(StoreUnavailable, match="closed"):
        file.forget([key_of("ship")])


def test_a_folder_in_the_place_of_the_file_is_unavailable(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StoreUnavailable):
        VectorFile(path)


def test_a_lock_of_another_process_does_not_lose_an_erasure(path: Path) -> None:
    """Adding gives up, since vectors can be made again; forgetting raises, since it must happen."""
    first = VectorFile(path)
    add(first, "ship")
    first._file.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")
    add(first, "lane")
    with pytest.raises(StoreUnavailable):
        first.forget([key_of("ship")])
    other.rollback()
    other.close()
    assert kept(first, "ship", "lane") == {"ship"}
    first.forget([key_of("ship")])
    assert kept(first, "ship") == set()
    first.close()


FULL_DISK = """
import resource, signal, sys
from tests.dysk.retrieval.test_vector_file import VectorFile, add, kept
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = VectorFile(sys.argv[1])
add(file, "before")
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
add(file, *(f"text {n}" for n in range(1_000)))
print(sorted(kept(file, "before", *(f"text {n}" for n in range(1_000)))))
"""


def test_on_a_full_disk_nothing_is_kept_and_nothing_is_lost(path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
    )
    assert result.stdout == "['before']\n", result.stderr
