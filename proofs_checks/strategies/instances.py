"""Instances from named strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from proofs_checks.instance import Instance


def instances(**values: Any) -> SearchStrategy[Instance]:
    """Instances with these names; a value that is no strategy is the same in all of them."""
    each = {name: value if isinstance(value, SearchStrategy) else st.just(value) for name, value in values.items()}
    return st.builds(Instance, **each)
