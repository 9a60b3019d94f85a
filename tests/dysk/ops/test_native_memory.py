"""How much memory does the CPU kernel take, and does it keep to what it was given?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("kernel")
ROOT = Path(__file__).parents[3]

PEAK = """
import resource, torch
from dysk.ops import native, sparse_knowledge_attention

torch.set_num_threads(4)
torch.manual_seed(0)
batch, heads, queries, dim, columns, k = {batch}, {heads}, {queries}, {dim}, {columns}, {k}
slots = torch.randn(columns, heads, dim)
start, length = torch.arange(columns), torch.ones(columns, dtype=torch.int32)
candidates = torch.stack([torch.randperm(columns) for _ in range(batch)])
q = torch.randn(batch, heads, queries, dim)

def read(queries):
    return sparse_knowledge_attention(
        q[:, :, :queries], slots, slots, slots, start, length, candidates, None, k=k, scale=1.0
    )

read(0)
assert native.is_loaded()
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
result = read(queries)
print(peak() - before - sum(x.nbytes for x in result))
"""

GUARDED = """
import ctypes, mmap, torch
from dysk.ops import native
from tests.dysk.ops.cases import make_case

libc, page = ctypes.CDLL(None, use_errno=True), mmap.PAGESIZE
kept = []

def at_the_end_of_memory(x):
    # Behind the last element lies a page that may not be touched.
    room = -(-max(x.nbytes, 1) // page) * page
    memory = mmap.mmap(-1, room + page)
    kept.append(memory)
    whole = torch.frombuffer(memory, dtype=torch.uint8)
    address = whole.data_ptr() + room
    assert libc.mprotect(ctypes.c_void_p(address), page, 0) == 0, ctypes.get_errno()
    place = whole[room - x.nbytes : room].view(x.dtype).view(x.shape)
    return place.copy_(x)

make_case(k=1, dtype=torch.float32).run()
for level in native.LEVELS:
    if native.use_level(level) != level:
        continue
    for arena in (torch.float32, torch.bfloat16, torch.float16):
        for dim in (1, 3, 8, 15, 16, 20, 40, 64):
            for k, queries, columns in ((2, 1, 5), (2, 6, 40), (50, 1, 40), (50, 6, 17)):
                case = make_case(
                    dim, lengths=(3,) * columns, columns=columns, k=k, dim=dim, queries=queries,
                    kv_heads=1 + dim % 3,
                ).in_type(torch.float32, arena)
                guarded = case.but(**{{
                    name: at_the_end_of_memory(x)
                    for name, x in vars(case).items() if isinstance(x, torch.Tensor)
                }})
                for one, other in zip(case.run(), guarded.run(), strict=True):
                    assert torch.equal(one, other)
    print(level)
"""


def run(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DYSK_NATIVE": "require"},
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr or f"ended with {done.returncode}"
    return done.stdout


@pytest.mark.parametrize(
    "shape",
    [
        {"heads": 8, "queries": 2048, "columns": 2048, "batch": 1, "k": 2},  # 128 MB of scores
        {"heads": 16, "queries": 1, "columns": 1_000_000, "batch": 1, "k": 2},  # 64 MB of scores
        {"heads": 4, "queries": 64, "columns": 4096, "batch": 32, "k": 2},  # 128 MB of scores
        {"heads": 4, "queries": 4096, "columns": 256, "batch": 1, "k": 300},  # nothing to select
    ],
    ids=["a long prompt", "a million candidates", "a large batch", "all are read"],
)
def test_the_workspace_is_below_64_megabytes_at_any_shape(shape: dict[str, int]) -> None:
    taken = int(run(PEAK.format(dim=2, **shape)))
    assert taken < 64 * 2**20


def test_nothing_is_read_beyond_the_end_of_any_argument() -> None:
    assert run(GUARDED.format()).startswith("baseline")
