"""The result of `regularized_path`: Algorithm 1 at every s, its limit, its expansion and its measured order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from margin_projection._validation import InputError
from margin_projection.projections.result import Status
from margin_projection.regularization.limit import ExpansionStatus
from margin_projection.trajectories.storage import read_archive, write_archive

FORMAT = "margin_projection regularized path 1"
_TEXTS = ("model_name", "task_names", "loss", "weighted", "laws")
# Array -> (kind of dtype, axes): steps T, values of s S, parameters p, samples n of the largest task, minimizers K of
# the projection that has most of them.
_LAYOUT = {
    "log_inverse_lambda": ("f", "S"),
    "degree": ("f", ""),
    "indices": ("i", "T"),
    "start": ("f", "p"),
    "points": ("f", "TSp"),
    "limits": ("f", "Tp"),
    "distances": ("f", "TS"),
    "angles": ("f", "TS"),
    "multipliers": ("f", "TSn"),
    "limit_multipliers": ("f", "Tn"),
    "objectives": ("f", "TS"),
    "statuses": ("U", "TS"),
    "gaps": ("f", "TS"),
    "residuals": ("f", "TS"),
    "accuracies": ("f", "TS"),
    "branches": ("i", "TS"),
    "limit_branches": ("i", "T"),
    "minimizers": ("f", "TKp"),
    "minimizer_counts": ("i", "T"),
    "selections": ("f", "TK2"),
    "projection_statuses": ("U", "T"),
    "expansion_statuses": ("U", "T"),
    "alphas": ("f", "Tp"),
    "betas": ("f", "Tp"),
    "gammas": ("f", "Tp"),
    "fitted_alphas": ("f", "Tp"),
    "fitted_betas": ("f", "Tp"),
    "fitted_gammas": ("f", "Tp"),
    "orders": ("f", "T3"),
    "reduced_orders": ("f", "T3"),
    "windows": ("f", "T2"),
    "window_counts": ("i", "T"),
}


@dataclass(frozen=True, eq=False)
class RegularizedPath:
    """Scaled iterates Theta_t / c, c = s^{1/r}, s = log(1/lambda), of Algorithm 1 over T steps and S values of s.

    In regression there is no scaling (Theorem 13). Everything is in the coordinates of theta; distances, angles,
    objectives and the projections are those of the regularizer's own metric B_t where there are ``weights``.

    Attributes:
        model_name, task_names, loss, degree: the setting; weighted: whether the regularizer has weights.
        log_inverse_lambda: (S,) s; indices: (T,) the task of each step, from 0; start: (p,) the scaled start.
        points: (T, S, p) the scaled iterates.
        limits: (T, p) the run of Algorithm 2 that they tend to; where none is known (``limit_branches`` is -1) the
            iterate of the largest s.
        distances, angles: (T, S) from the iterate to its limit, the angle in radians (0 where one of them is 0).
        multipliers: (T, S, n) implied multipliers mu_i, in `project`'s convention; nan beyond the task's own samples.
        limit_multipliers: (T, n) those of the projection.
        objectives: (T, S) ||theta - hat||^2 + L(c theta) / (c^2 lambda) at the iterate, hat the scaled previous one.
        statuses: (T, S) names of `Status` members: GLOBAL where the objective is within 1e-7 (1 + objective) of a
            proved lower bound; LOCAL where stationary with positive curvature; STATIONARY, STALLED as in `project`.
        gaps: (T, S) objective minus the proved lower bound; infinite where nothing is proved.
        residuals: (T, S) of the relaxed KKT system.
        accuracies: (T, S) proved bounds on the distance to the exact iterate (given the previous one), for linear
            models; infinite elsewhere. With weights in the coordinates B_t^{1/2} theta, up to their own rounding.
        branches: (T, S) the minimizer of the projection on whose branch the iterate lies; -1 where it lies on none.
        limit_branches: (T,) the one that the path tends to, that is the branch of the largest s.
        minimizers: (T, K, p) all minimizers that were followed; nan beyond ``minimizer_counts`` (T,).
        selections: (T, K, 2) coefficients (a, b) of each branch's objective d^2 + a log(s)/s + b/s + ... (in regression
            d^2 + b e^{-s}): among minimizers of equal distance the least one is selected; nan beyond the counts.
        projection_statuses: (T,) names of `Status` members of the projections.
        expansion_statuses: (T,) names of `ExpansionStatus` members: whether alphas, betas and gammas have a meaning.
        alphas, betas: (T, p) predicted: iterate - limit = alpha log(s)/s + beta/s + o(1/s) (classification).
        gammas: (T, p) predicted: iterate - limit = gamma e^{-s} + o(e^{-s}) (regression).
        fitted_alphas, fitted_betas, fitted_gammas: (T, p) the same, fitted to the path's tail; 0 where it is too short.
        orders: (T, 3) measured order of convergence -d log(error)/d log(s) with the ends of its interval; in regression
            -d log(error)/ds, the order in lambda. Zeros where ``window_counts`` (T,) is 0.
        reduced_orders: (T, 3) the same after the predicted law is divided out, plus 1: 1 where the law holds.
        windows: (T, 2) the first and last s of the fits.
        laws: (T,) the law of each step, in words.
    """

    model_name: str
    task_names: tuple[str, ...]
    loss: str
    weighted: bool
    laws: tuple[str, ...]
    log_inverse_lambda: np.ndarray
    degree: np.ndarray
    indices: np.ndarray
    start: np.ndarray
    points: np.ndarray
    limits: np.ndarray
    distances: np.ndarray
    angles: np.ndarray
    multipliers: np.ndarray
    limit_multipliers: np.ndarray
    objectives: np.ndarray
    statuses: np.ndarray
    gaps: np.ndarray
    residuals: np.ndarray
    accuracies: np.ndarray
    branches: np.ndarray
    limit_branches: np.ndarray
    minimizers: np.ndarray
    minimizer_counts: np.ndarray
    selections: np.ndarray
    projection_statuses: np.ndarray
    expansion_statuses: np.ndarray
    alphas: np.ndarray
    betas: np.ndarray
    gammas: np.ndarray
    fitted_alphas: np.ndarray
    fitted_betas: np.ndarray
    fitted_gammas: np.ndarray
    orders: np.ndarray
    reduced_orders: np.ndarray
    windows: np.ndarray
    window_counts: np.ndarray

    @property
    def num_steps(self) -> int:
        """T."""
        return int(self.indices.size)

    @property
    def is_regression(self) -> bool:
        """Whether the loss is the squared one."""
        return self.loss == "squared"

    def predicted_errors(self) -> np.ndarray:
        """(T, S, p) the first-order expansion of iterate - limit; zeros where a step has none."""
        s = self.log_inverse_lambda[None, :, None]
        if self.is_regression:
            return np.asarray(self.gammas[:, None] * np.exp(-s))
        return np.asarray((self.alphas[:, None] * np.log(s) + self.betas[:, None]) / s)

    def has_expansion(self, step: int) -> bool:
        """Whether the expansion of a step (from 0) has numbers."""
        return ExpansionStatus[str(self.expansion_statuses[step])].has_numbers

    def save(self, path: Any) -> None:
        """Write to ``path`` (.npz: arrays and a JSON description, no pickle), atomically.

        Raises:
            InputError: ``path`` is a directory, or lies in none that exists.
        """
        arrays = {name: np.asarray(getattr(self, name)) for name in _LAYOUT}
        write_archive(path, arrays, {"format": FORMAT, **{name: getattr(self, name) for name in _TEXTS}})

    @classmethod
    def load(cls, path: Any) -> RegularizedPath:
        """Read what `save` wrote, every shape and type checked.

        Raises:
            InputError: the file is missing, damaged, or holds no regularized path.
        """
        arrays, metadata = read_archive(path)
        if metadata.get("format") != FORMAT:
            raise InputError("path", str(path), f"an archive of the format {FORMAT!r}")
        _check_texts(path, metadata)
        _check_arrays(path, arrays, metadata)
        values: dict[str, Any] = {name: metadata[name] for name in _TEXTS} | arrays
        values |= {name: tuple(metadata[name]) for name in ("task_names", "laws")}
        return cls(**values)

    def __repr__(self) -> str:
        s = self.log_inverse_lambda
        return f"RegularizedPath({self.model_name}, {self.num_steps} steps, {s.size} values of s up to {s[-1]:.3g})"


def _require(path: Any, requirement: str, holds: Any) -> None:
    if not holds:
        raise InputError("path", str(path), f"an archive of a regularized path with {requirement}")


def _check_texts(path: Any, metadata: dict[str, Any]) -> None:
    for name in ("model_name", "loss"):
        _require(path, f"the text {name!r}", isinstance(metadata.get(name), str))
    _require(path, "the field 'weighted'", isinstance(metadata.get("weighted"), bool))
    for name in ("task_names", "laws"):
        listed = metadata.get(name)
        are_texts = isinstance(listed, list) and all(isinstance(each, str) for each in listed)
        _require(path, f"the texts {name!r}", are_texts)


def _check_arrays(path: Any, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    _require(path, "its arrays", set(arrays) == set(_LAYOUT))
    sizes: dict[str, int] = {"2": 2, "3": 3}
    for name, (kind, axes) in _LAYOUT.items():
        array, requirement = arrays[name], f"{name} that fit"
        _require(path, requirement, array.dtype.kind == kind and array.ndim == len(axes))
        _require(path, requirement, all(sizes.setdefault(a, n) == n for a, n in zip(axes, array.shape, strict=True)))
    _require(path, "a law for each step", len(metadata["laws"]) == sizes["T"])
    indices = arrays["indices"]
    _require(path, "steps onto its tasks", ((indices >= 0) & (indices < len(metadata["task_names"]))).all())
    for name in ("statuses", "projection_statuses"):
        _require(path, "known statuses", np.isin(arrays[name], list(Status.__members__)).all())
    known = np.isin(arrays["expansion_statuses"], list(ExpansionStatus.__members__)).all()
    _require(path, "known statuses of expansions", known)
    _require(path, "finite points", np.isfinite(arrays["points"]).all())


class RegularizedPathError(RuntimeError):
    """No stationary point was found at some s; ``path`` holds the steps before the one that failed, None where none."""

    def __init__(self, path: RegularizedPath | None, step: int, s: float) -> None:
        self.path, self.step, self.s = path, step, s
        super().__init__(
            f"Step {step + 1} failed at s = {s:.6g}: {Status.STALLED.value} (.path holds the steps before it; "
            "pass throw=False to have them reported as STALLED)"
        )
