"""Seeing a module's rectifiers from outside: their preactivations, slopes and the smoothness of everything else."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from margin_projection._validation import InputError

_RELU = (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)
_LEAKY = (F.leaky_relu, F.leaky_relu_, torch._C._nn.leaky_relu, torch._C._nn.leaky_relu_)
_ABSOLUTE = (
    torch.abs, torch.abs_, torch.absolute, Tensor.abs, Tensor.abs_, Tensor.absolute, Tensor.absolute_, Tensor.__abs__,
)
_CLAMP = (torch.clamp, torch.clamp_, Tensor.clamp, Tensor.clamp_, torch.clip, Tensor.clip)
_CLAMP_MIN = (torch.clamp_min, torch.clamp_min_, Tensor.clamp_min, Tensor.clamp_min_)


def rectifier_slopes(function: Callable, args: tuple, kwargs: dict[str, Any]) -> tuple[float, float] | None:
    """(left, right) slopes of a call that is a rectifier with its kink at 0, None for every other call.

    Known are relu, leaky_relu, abs and clamp(min=0), as functions, methods and in place.
    """
    if function in _RELU:
        return 0.0, 1.0
    if function in _LEAKY:
        return float(kwargs.get("negative_slope", args[1] if len(args) > 1 else 0.01)), 1.0
    if function in _ABSOLUTE:
        return -1.0, 1.0
    if function in _CLAMP or function in _CLAMP_MIN:
        bounds = dict(zip(("min", "max"), args[1:], strict=False)) | kwargs
        return (0.0, 1.0) if _is_zero(bounds.get("min")) and bounds.get("max") is None else None
    return None


def _is_zero(bound: Any) -> bool:
    return isinstance(bound, int | float) and bound == 0


def _is_in_place(function: Callable, args: tuple, kwargs: dict[str, Any]) -> bool:
    position = {F.relu: 1, F.leaky_relu: 2}.get(function)
    positional = position is not None and len(args) > position and bool(args[position])
    return getattr(function, "__name__", "").endswith("_") or bool(kwargs.get("inplace")) or positional


class ExactDerivativesMode(TorchFunctionMode):
    """Writes weight normalization as v g / ||v||: the second derivative of torch's fused form is wrong (2.13, CPU)."""

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func is torch._weight_norm:
            return _weight_norm(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    axes = [axis for axis in range(v.ndim) if axis != dim]
    return v * (g / (v.square().sum(axes, keepdim=True) if axes else v.square()).sqrt())


class RectifierMode(TorchFunctionMode):
    """Replaces every rectifier call by its piece, (right if z > 0 else left) z, and keeps the preactivations z.

    Args:
        active: per call in execution order, whether it depends on the parameters; None to find out (attribute
            ``active``). Calls that do not depend on them are left alone, and so are those inside custom autograd
            functions, whose derivative is another matter.
        probes: per active call, a flat tensor added to the output (to take derivatives by), or None.
        changes: per active call, a flat tensor added to the slope without changing the output's value, or None.
        observer: a mode that is to look away from what replaces the rectifiers, or None.

    Attributes:
        preactivations: the z of the active calls, flat.
        slopes: their (left, right) slopes.
    """

    def __init__(
        self,
        active: tuple[bool, ...] | None = None,
        probes: list[Tensor] | None = None,
        changes: list[Tensor] | None = None,
        observer: SmoothnessMode | None = None,
    ) -> None:
        super().__init__()
        self._observer = observer
        self._expected, self._probes, self._changes = active, probes, changes
        self.active: list[bool] = []
        self.preactivations: list[Tensor] = []
        self.slopes: list[tuple[float, float]] = []

    def __torch_function__(self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        slopes = rectifier_slopes(func, args, kwargs)
        if slopes is None or not self._is_active(args, kwargs):
            return func(*args, **kwargs)
        argument = args[0] if args else kwargs["input"]
        with contextlib.nullcontext() if self._observer is None else self._observer.paused():
            output = self._rectify(argument.clone() if _is_in_place(func, args, kwargs) else argument, slopes)
        if _is_in_place(func, args, kwargs):
            return argument.copy_(output)
        return output

    def _is_active(self, args: tuple, kwargs: dict[str, Any]) -> bool:
        position = len(self.active)
        if self._expected is None:
            depends = bool((args[0] if args else kwargs["input"]).requires_grad)
            self.active.append(depends and torch.is_grad_enabled())
        elif position < len(self._expected):
            self.active.append(self._expected[position])
        else:
            requirement = "one whose rectifier calls are the same for all inputs"
            raise InputError("module", "another number of calls", requirement)
        return self.active[-1]

    def _rectify(self, argument: Tensor, slopes: tuple[float, float]) -> Tensor:
        position, (left, right) = len(self.preactivations), slopes
        output = torch.where(argument > 0, right * argument, left * argument)
        if self._changes is not None:
            change = self._changes[position].reshape(argument.shape)
            output = output + change * (argument - argument.detach())
        if self._probes is not None:
            output = output + self._probes[position].reshape(argument.shape)
        self.preactivations.append(argument.reshape(-1))
        self.slopes.append(slopes)
        return output


_SMOOTH = frozenset((
    "_adaptive_avg_pool2d", "_adaptive_avg_pool3d", "_convolution", "_native_batch_norm_legit_no_training",
    "_reshape_alias", "_to_copy", "_unsafe_view", "add", "add_", "addbmm", "addcmul", "addmm", "addmv", "alias",
    "arange", "as_strided", "as_strided_scatter", "avg_pool1d", "avg_pool2d", "avg_pool3d", "baddbmm", "bmm", "cat",
    "channel_shuffle", "clone", "constant_pad_nd", "convolution", "copy", "copy_", "cos", "cudnn_batch_norm", "cumsum",
    "detach", "diag_embed", "diagonal", "dot", "einsum", "empty", "empty_like", "empty_strided", "erf", "exp", "expand",
    "fill_", "flatten", "flip", "full", "full_like", "gather", "im2col", "index", "index_select", "kron", "lift_fresh",
    "lift_fresh_copy", "linear", "matmul", "mean", "mkldnn_convolution", "mm", "movedim", "mul", "mul_", "mv", "narrow",
    "native_batch_norm", "neg", "neg_", "new_empty", "new_ones", "new_zeros", "ones", "ones_like", "permute",
    "pixel_shuffle", "positive", "prod", "reflection_pad1d", "reflection_pad2d", "repeat", "replication_pad1d",
    "replication_pad2d", "reshape", "roll", "rsub", "scalar_tensor", "select", "select_scatter", "sigmoid", "sin",
    "slice", "slice_scatter", "split", "split_with_sizes", "square", "squeeze", "squeeze_", "stack", "sub", "sub_",
    "sum", "swapaxes", "t", "tanh", "trace", "transpose", "transpose_", "tril", "triu", "unbind", "unflatten", "unfold",
    "unsafe_chunk", "unsafe_split", "unsqueeze", "unsqueeze_", "upsample_bilinear2d", "upsample_nearest2d", "vdot",
    "view", "zero_", "zeros", "zeros_like",
))


def _is_smooth_call(name: str, args: tuple) -> bool:
    if name.startswith("pow"):
        exponent = args[1] if len(args) > 1 else None
        return isinstance(exponent, int | float) and exponent >= 0 and float(exponent).is_integer()
    if name.startswith("div"):
        divisor = args[1] if len(args) > 1 else None
        constant = isinstance(divisor, Tensor) and torch.is_grad_enabled() and not divisor.requires_grad
        return isinstance(divisor, int | float) or constant
    return name in _SMOOTH


class SmoothnessMode(TorchDispatchMode):
    """Collects the names of the elementary operations that are not known to be twice continuously differentiable.

    It sees what runs, below autograd, hence also the inside of composite functions, scripted modules and custom
    autograd functions. An operation not known to be smooth counts as not smooth; division, roots and norms among them
    (not smooth where the divisor or argument is zero).
    """

    def __init__(self) -> None:
        super().__init__()
        self.nonsmooth: list[str] = []
        self._paused = False

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Look away for a while."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        name = func.overloadpacket.__name__
        if not (self._paused or _is_smooth_call(name, args) or name in self.nonsmooth):
            self.nonsmooth.append(name)
        return func(*args, **(kwargs or {}))
