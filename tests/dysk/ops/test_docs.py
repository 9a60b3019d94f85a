"""Does the page about the op tell the truth, as far as a program can tell?"""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import torch

import dysk.ops

PAGE = (Path(__file__).parents[3] / "docs" / "op.md").read_text(encoding="utf-8")


def test_the_example_runs_as_printed() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, torch.Tensor] = {}
    exec(example, names)
    assert names["out"].shape == names["q"].shape
    assert names["selected"].shape == (1, 2, 5, 2)


def test_every_public_name_and_argument_is_explained() -> None:
    assert set(dysk.ops.__all__) == {"block_mass", "merge_attention", "sparse_knowledge_attention"}
    for name in dysk.ops.__all__:
        assert f"`{name}" in PAGE or f"{name}(" in PAGE
    for argument in inspect.signature(dysk.ops.sparse_knowledge_attention).parameters:
        assert f"`{argument}`" in PAGE, argument


def test_the_name_of_every_test_file_that_it_cites_exists() -> None:
    cited = re.findall(r"`((?:tests|dysk)/[\w/]+\.py)`", PAGE)
    assert cited
    for path in cited:
        assert (Path(__file__).parents[3] / path).is_file(), path
