"""Contracts are suites, not test modules: their asserts want rewriting all the same."""

import pytest

for part in ("writing", "supersession", "intervals", "reading", "entities", "history"):
    pytest.register_assert_rewrite(f"tests.contracts.store_{part}")
