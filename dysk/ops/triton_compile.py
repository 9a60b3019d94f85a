"""Compile the Triton kernels for GPUs that need not be here, and print what they take.

``python -m dysk.ops.triton_compile`` compiles each kernel as the default model and larger ones call
it, for compute capability 8.0 (A100) and 9.0 (H100); ``--all`` compiles every entry of the table
for all types. Registers are those of a thread, of at most 255; spilled are bytes that did not fit
into them; shared are bytes of shared memory. Needs triton, and no GPU.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from dysk.ops import triton_kernels as kernels
from dysk.ops.triton_launch import (
    ELIGIBLE_TILE,
    PRECISION,
    ROWS_AT_MOST,
    SCORE_TILE,
    SELECT_TILE,
    TABLE,
)

TARGETS = (80, 90)
HEADS = {64: 3, 128: 4}
"""Head dimension -> query heads of each key/value head: SmolLM2-135M, and models of 7B and more."""

_PLAIN = {
    **dict.fromkeys(("candidates", "eligible", "selected", "block_start"), "*i64"),
    **dict.fromkeys(("prior", "bias", "scores", "lse"), "*fp32"),
    **{"block_len": "*i32", "scale": "fp32"},
}
_LAST_STRIDES = ("summary_dim", "k_dim", "v_dim")


@dataclass(frozen=True)
class Variant:
    """A kernel, the types of queries and arenas, and its constants."""

    kernel: Any
    query: str
    arena: str
    constants: dict[str, int | str]
    warps: int = 4
    stages: int = 3


@dataclass(frozen=True)
class Needs:
    """Registers and spilled bytes of a thread, and bytes of shared memory of a program."""

    registers: int
    spilled: int
    shared: int


def variants(*, everything: bool = False) -> Iterator[Variant]:
    """What the default model calls with bfloat16, or all that the table and the types give."""
    types = [("bf16", "bf16"), ("fp16", "fp16"), ("fp32", "bf16"), ("fp32", "fp32")]
    columns = {"TILE": SELECT_TILE, "K_TILE": 16, "HAS_PRIOR": True}
    yield Variant(kernels.eligible_kernel, "", "", {"TILE": ELIGIBLE_TILE, "HAS_PRIOR": True})
    yield Variant(kernels.select_kernel, "", "", {**columns, "KEEP_ALL": False})
    if everything:
        yield Variant(kernels.select_kernel, "", "", {**columns, "KEEP_ALL": True})
    for dim, (query, arena) in product(HEADS, types if everything else types[:1]):
        shape: dict[str, int | str] = {"GROUP": HEADS[dim], "DIM": dim, "DIM_TILE": dim}
        shape["HAS_PRIOR"] = True
        yield Variant(kernels.score_kernel, query, arena, {**shape, **SCORE_TILE})
        for config, together in product(TABLE if everything else TABLE[:1], (False, True)):
            narrow = query == arena != "fp32"
            rows = ROWS_AT_MOST[narrow] if together else 16
            tile = {"QUERIES": rows // HEADS[dim] if together else 1, "ROWS": rows}
            product_of = {"NARROW": narrow, "PRECISION": PRECISION[arena != "fp32"]}
            constants = {**shape, **tile, **product_of, **config.kwargs}
            stages, warps = config.num_stages, config.num_warps
            yield Variant(kernels.attend_kernel, query, arena, constants, warps, stages)


def compile_for(capability: int, variant: Variant) -> Needs:
    """Make machine code of a variant, and read from it what it takes."""
    names = variant.kernel.arg_names
    constants = {**dict.fromkeys(set(_LAST_STRIDES) & set(names), 1), **variant.constants}
    types = {**_PLAIN, **dict.fromkeys(("q", "out"), f"*{variant.query}")}
    types |= dict.fromkeys(("k_arena", "v_arena", "summary"), f"*{variant.arena}")
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32") for name in names
    }
    # As a call specializes them: addresses and strides of whole tiles are divisible by 16.
    aligned = {
        (place,): [["tt.divisibility", 16]]
        for place, name in enumerate(names)
        if signature[name].startswith("*") or re.fullmatch("(q|k|v|summary)_[a-z]+", name)
    }
    source = ASTSource(
        fn=variant.kernel,
        signature=signature,
        constexprs=constants,
        attrs={place: kind for place, kind in aligned.items() if names[place[0]] not in constants},
    )
    compiled = triton.compile(
        source,
        target=GPUTarget("cuda", capability, 32),
        options={
            "num_warps": variant.warps,
            "num_stages": variant.stages,
            "enable_fp_fusion": True,  # as triton_launch.py has it
        },
    )
    return Needs(*_resources(compiled.asm["cubin"]), shared=compiled.metadata.shared)


def _resources(cubin: bytes) -> tuple[int, int]:
    """Registers of a thread, and bytes of its stack: a kernel has none but for what it spills."""
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        said = subprocess.run(  # noqa: S603 - a tool of triton's own, and a file of ours
            [tool, "--dump-resource-usage", file.name], capture_output=True, text=True, check=True
        ).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", said)
    if found is None:
        raise RuntimeError(f"cuobjdump did not say what the kernel takes: {said}")
    return int(found[1]), int(found[2])


def main() -> None:
    """Print one line for each kernel and target."""
    parser = argparse.ArgumentParser(prog="python -m dysk.ops.triton_compile")
    parser.add_argument("--all", action="store_true", help="the whole table; takes minutes")
    everything = parser.parse_args().all
    print(f"{'kernel':16} {'sm':>3} {'q':4} {'arena':5} {'regs':>4} {'spill':>5} {'shared':>6}  of")
    for variant, capability in product(variants(everything=everything), TARGETS):
        needs = compile_for(capability, variant)
        unsaid = ("DIM_TILE", "HAS_PRIOR", "PRECISION")
        shown = {name: v for name, v in variant.constants.items() if name not in unsaid}
        print(
            f"{variant.kernel.fn.__name__:16} {capability:3} {variant.query:4} {variant.arena:5} "
            f"{needs.registers:4} {needs.spilled:5} {needs.shared:6}  "
            f"{' '.join(f'{name}={int(v)}' for name, v in shown.items())} warps={variant.warps}",
            flush=True,
        )


if __name__ == "__main__":
    main()
