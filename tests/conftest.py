"""Every test runs seeded, on one thread and without a display.

MARGIN_PROJECTION_TESTS=thorough gives the property tests forty times as many examples.
"""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")
torch.set_num_threads(1)

settings.register_profile("fast", max_examples=25, deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile(
    "thorough",
    max_examples=1000,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("MARGIN_PROJECTION_TESTS", "fast"))


@pytest.fixture(autouse=True)
def _seeded() -> None:
    """Generators that a library may reach for start the same in every test; tests themselves pass seeds."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that the workers end together (with --no-loadscope-reorder)."""
    longest = ("test_verify.py", "test_sweep.py", "test_benchmarks.py")
    items.sort(key=lambda item: item.path.name not in longest)
