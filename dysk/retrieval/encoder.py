"""Text to unit vectors: a sentence encoder read from disk, a tiny one without weights, and a cache.

All vectors are float32, length one, so that their inner product is their cosine.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from dysk.retrieval.vector_file import Halves, VectorFile, key_of
from graph.errors import StoreUnavailable

if TYPE_CHECKING:
    import torch

Vectors = NDArray[np.float32]
"""float32 [N, dim], rows of length one (a row of zeros for a text without content)."""
Progress = Callable[[int, int], None]
"""Called with (texts done, texts in all) after each batch."""

_BATCH = 64
_MAX_TOKENS = 256
_SAMPLE_BYTES = 65_536
_KEPT_IN_MEMORY = 50_000
_KEPT_AT_ONCE = 512


class TextEncoder(Protocol):
    """Anything that turns texts into unit vectors, the same text always into the same vector."""

    @property
    def dim(self) -> int:
        """Length of a vector."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes when the vectors would: what caches and indexes are keyed by."""
        ...

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim], in the order of the texts."""
        ...


class Encoder:
    """A sentence encoder from a local folder in Hugging Face format: mean pooling, unit length.

    ``folder`` holds config, weights and tokenizer of a model for ``AutoModel``. Texts beyond 256
    tokens are cut. Safe to share between threads; calls take turns. Raises FileNotFoundError when
    the folder has no model.
    """

    def __init__(self, folder: Path | str, device: str = "cpu") -> None:
        self.folder = Path(folder)
        if not (self.folder / "config.json").is_file():
            raise FileNotFoundError(
                f"{self.folder} holds no encoder; "
                "give a folder with config.json, weights and tokenizer"
            )
        import torch
        from transformers import AutoModel, AutoTokenizer

        from dysk.retrieval.bert import Bert, best_dtype, is_plain_bert

        self._tokenizer = AutoTokenizer.from_pretrained(str(self.folder), local_files_only=True)
        with _quiet_loading():
            model = AutoModel.from_pretrained(str(self.folder), local_files_only=True)
        self.dim = int(model.config.hidden_size)
        self._precision = ""
        self._hidden_states: Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
        if device == "cpu" and is_plain_bert(model):
            dtype = best_dtype()
            self._precision = "" if dtype == torch.float32 else "-bf16"
            bert = Bert(model, dtype)
            self._hidden_states = lambda tokens: bert(tokens["input_ids"], tokens["attention_mask"])
        else:
            model = model.eval().to(device)
            self._hidden_states = lambda tokens: model(**tokens).last_hidden_state
        self._device = device
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the folder's files, and the precision if it is not float32. Of large files only
        size, head and tail are read: weights take seconds.
        """
        digest = hashlib.sha256()
        for path in sorted(self.folder.glob("*.json")) + sorted(self.folder.glob("*.safetensors")):
            size = path.stat().st_size
            digest.update(f"{path.name}:{size}:".encode())
            with path.open("rb") as file:
                digest.update(file.read(_SAMPLE_BYTES))
                file.seek(max(0, size - _SAMPLE_BYTES))
                digest.update(file.read(_SAMPLE_BYTES))
        return digest.hexdigest()[:32] + self._precision

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim]. Batches hold texts of like length, so little padding is
        computed.
        """
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]), reverse=True)
        for begin in range(0, len(order), _BATCH):
            batch = order[begin : begin + _BATCH]
            vectors[batch] = self._encode_batch([texts[i] for i in batch])
            if progress is not None:
                progress(begin + len(batch), len(order))
        return vectors

    def _encode_batch(self, texts: list[str]) -> Vectors:
        import torch

        with self._lock, torch.inference_mode():
            tokens = self._tokenizer(
                texts, padding=True, truncation=True, max_length=_MAX_TOKENS, return_tensors="pt"
            ).to(self._device)
            hidden = self._hidden_states(tokens)  # [N, tokens, dim]
            mask = tokens["attention_mask"].unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            return unit(mean.float().cpu().numpy())


class HashEncoder:
    """Character n-grams hashed into ``dim`` signed buckets: no weights, no meaning, only spelling.

    For tests and for machines without an encoder: texts that share letters are near one another.
    """

    def __init__(self, dim: int = 256) -> None:
        self.dim = dim
        self.fingerprint = f"hash-{dim}"

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim]."""
        vectors = np.zeros((len(texts), self.dim), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in text.casefold().split():
                for gram in _ngrams(f"<{word}>"):
                    code = int.from_bytes(hashlib.blake2b(gram.encode(), digest_size=8).digest())
                    vectors[row, code // 2 % self.dim] += 1 if code % 2 else -1
        if progress is not None:
            progress(len(texts), len(texts))
        return unit(vectors)


class CachedEncoder:
    """Remembers the vectors of texts, in memory and, given ``path``, in a VectorFile.

    Meant for names of entities and relations, which come back; encode questions with ``encoder``
    itself, so that they are not kept. Vectors are rounded to float16 before the first use already:
    a text has the same vector whether it comes from the encoder or from the file. Where no file
    can be made, as in a read-only folder, memory has to do. Thread-safe. Raises StoreUnavailable
    after ``close``.
    """

    def __init__(self, encoder: TextEncoder, path: Path | str | None = None) -> None:
        self.encoder = encoder
        self._recent: OrderedDict[bytes, Halves] = OrderedDict()
        self._lock = threading.RLock()
        self._file: VectorFile | None = None
        if path is not None:
            with suppress(StoreUnavailable):
                self._file = VectorFile(path)

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return self.encoder.dim

    @property
    def fingerprint(self) -> str:
        """The encoder's, marked as rounded."""
        return f"{self.encoder.fingerprint}-f16"

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Vectors:
        """float32 [len(texts), dim]; ``progress`` counts only the texts that have to be encoded."""
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        keys = [key_of(text) for text in texts]
        with self._lock:
            found = self._look_up(set(keys))
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        waiting = list(missing.items())
        # Kept a part at a time: whoever interrupts a long import loses little, and a close or an
        # erasure need not wait for its end.
        for begin in range(0, len(waiting), _KEPT_AT_ONCE):
            part = dict(waiting[begin : begin + _KEPT_AT_ONCE])
            found |= self._encode_part(part)
            if progress is not None:
                progress(begin + len(part), len(waiting))
        with self._lock:
            self._remember(found)
        return unit(np.stack([found[key] for key in keys]).astype(np.float32))

    def forget(self, texts: Sequence[str]) -> None:
        """Remove the vectors of these texts from memory and, byte for byte, from the file."""
        keys = [key_of(text) for text in texts]
        with self._lock:
            for key in keys:
                self._recent.pop(key, None)
            if self._file is not None:
                self._file.forget(keys)

    def close(self) -> None:
        """Close the file; the cache is not usable afterwards. Safe to call twice."""
        if self._file is not None:
            self._file.close()

    def _look_up(self, keys: set[bytes]) -> dict[bytes, Halves]:
        found = {key: self._recent[key] for key in keys if key in self._recent}
        if self._file is not None:
            absent = [key for key in keys if key not in found]
            found |= self._file.read(absent, self.encoder.fingerprint)
        return found

    def _encode_part(self, texts: Mapping[bytes, str]) -> dict[bytes, Halves]:
        fresh = self.encoder.encode(list(texts.values())).astype(np.float16)
        # Copies, so that a vector that is forgotten does not live on as a row of the batch.
        vectors: dict[bytes, Halves] = dict(zip(texts, map(np.copy, fresh), strict=True))
        if self._file is not None:
            self._file.add(vectors, self.encoder.fingerprint)
        return vectors

    def _remember(self, vectors: dict[bytes, Halves]) -> None:
        for key, vector in vectors.items():
            self._recent[key] = vector
            self._recent.move_to_end(key)
        while len(self._recent) > _KEPT_IN_MEMORY:
            self._recent.popitem(last=False)


def unit(vectors: NDArray[np.float32]) -> Vectors:
    """Rows scaled to length one; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Vectors = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled


@contextmanager
def _quiet_loading() -> Iterator[None]:
    """No progress bar of transformers: a second of loading is not worth lines on stderr."""
    from transformers.utils import logging

    was_enabled = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        if was_enabled:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _ngrams(word: str) -> list[str]:
    return [word[i : i + n] for n in (2, 3, 4) for i in range(len(word) - n + 1)] or [word]
