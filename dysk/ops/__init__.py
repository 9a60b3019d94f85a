"""Sparse knowledge attention: a few facts out of many, read with exact softmax attention. Needs
torch only."""

from dysk.ops.api import sparse_knowledge_attention
from dysk.ops.mass import block_mass
from dysk.ops.merge import merge_attention

__all__ = ["block_mass", "merge_attention", "sparse_knowledge_attention"]
