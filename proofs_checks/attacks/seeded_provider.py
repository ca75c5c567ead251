"""hypothesis draws constants that it finds in the source of loaded modules; verdicts must not depend on those.

Within `reproducible_draws` the registered provider draws its global constants alone, so that the same seed gives the
same instances whichever modules happen to be imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from hypothesis.internal.conjecture.providers import AVAILABLE_PROVIDERS, Constants, HypothesisProvider

_BACKEND = "hypothesis"


class _SeededProvider(HypothesisProvider):
    _local_constants = Constants()


@contextlib.contextmanager
def reproducible_draws() -> Iterator[None]:
    """Inside, draws depend on the seed and on the strategy alone."""
    before = AVAILABLE_PROVIDERS[_BACKEND]
    AVAILABLE_PROVIDERS[_BACKEND] = _SeededProvider
    try:
        yield
    finally:
        AVAILABLE_PROVIDERS[_BACKEND] = before
