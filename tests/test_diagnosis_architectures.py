"""Architectures for digits: degrees counted by hand, training, the table and its files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

import margin_projection as mp
from figures import ablation as figure
from margin_projection.diagnosis import degree_groups
from margin_projection.verify.ablation import DEGREES, ablation
from margin_projection.verify.architectures import ARCHITECTURES, build, train
from margin_projection.verify.findings import Verdict

SMALL = ("MLP, squared ReLU", "MLP with biases")


def test_every_architecture_has_its_degree() -> None:
    assert set(DEGREES) == set(ARCHITECTURES)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_degrees_as_counted_by_hand(name: str) -> None:
    """Of trained modules: batch normalization then has running means."""
    tasks = mp.tasks.digits([(0, 1)], 8)
    found = degree_groups(train(build(name), tasks, steps=3), (64,))
    assert (found.kind.name, found.degree) == DEGREES[name]
    assert found.scaling_error < 1e-11


def test_building_is_seeded_and_leaves_the_generator_alone() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (build("CNN", seed) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    pairs = zip(first.parameters(), second.parameters(), other.parameters(), strict=True)
    assert all(torch.equal(a, b) and not torch.equal(a, c) and a.dtype == torch.float64 for a, b, c in pairs)


@pytest.mark.parametrize("name", ["MLP", "ResNet, batch norm", "ViT, softmax attention"])
def test_training_separates_in_evaluation_mode(name: str) -> None:
    tasks = mp.tasks.digits([(0, 1), (2, 3)], 6)
    module = train(build(name), tasks)
    assert not module.training
    with torch.no_grad():
        margins = [task.y * module(torch.tensor(task.X)).numpy().reshape(-1) for task in tasks]
    assert np.concatenate(margins).min() >= 1.0


def test_training_fits_regression_targets() -> None:
    tasks = mp.tasks.digits([(0, 1)], 4, kind="regression")
    module = train(build("MLP"), tasks, steps=300)
    with torch.no_grad():
        assert np.abs(module(torch.tensor(tasks[0].X)).numpy().reshape(-1) - tasks[0].y).max() < 0.1


def test_the_table_and_its_files(tmp_path: Path) -> None:
    data = figure.compute(pairs=((0, 1),), samples=6, names=SMALL)
    files = figure.save(tmp_path, data)
    assert sorted(path.suffix for path in files) == [".csv", ".json", ".md", ".pdf", ".png", ".txt"]
    rows = list(csv.DictReader((tmp_path / "ablation.csv").read_text().splitlines()))
    assert [row["architecture"] for row in rows] == list(SMALL)
    assert rows[0]["degree"] == "7.0" and rows[1]["positive homogeneity"] == "FAILS"
    assert (tmp_path / "ablation.md").read_text().count("\n") == 4
    stored = json.loads((tmp_path / "ablation.json").read_text())
    assert stored["diagnoses"]["MLP with biases"]["degrees"]["kind"] == "QUASI"
    assert "2 networks" in (tmp_path / "ablation.txt").read_text()


def test_the_part_of_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("margin_projection.verify.ablation.QUICK", SMALL)
    shares: list[float] = []
    part = ablation(True, shares.append)
    assert part.passed and shares == [0.5, 1.0]
    verdicts = {claim.source: claim.verdict for claim in part.claims}
    assert verdicts["Lemma C.9"] is Verdict.HOLDS
    assert verdicts["Theorem 6, hypotheses"] is verdicts["Text after Theorem 6"] is Verdict.FAILS
