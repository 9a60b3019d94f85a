"""Sparse knowledge attention: read a few facts out of many, exactly. Needs torch only."""

from dysk.ops.api import sparse_knowledge_attention
from dysk.ops.mass import block_mass
from dysk.ops.merge import merge_attention

__all__ = ["block_mass", "merge_attention", "sparse_knowledge_attention"]
