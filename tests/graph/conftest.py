"""Contracts are suites, not test modules: their asserts want rewriting all the same."""

import pytest

for part in ("store_writing", "store_supersession", "store_reading"):
    pytest.register_assert_rewrite(f"tests.contracts.{part}")
