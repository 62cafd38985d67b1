"""Percentiles, computed in one way everywhere.

By linear interpolation between the two nearest values, with the smallest at 0 % and the largest at 100 % (the default of NumPy and of
spreadsheets: `PERCENTILE.INC`). So a median of two lies between them, and every percentile of one value is that value.
"""

from collections.abc import Sequence


def percentile(ordered: Sequence[int], percent: int) -> int | float | None:
    """A percentile of values in ascending order: whole where it is whole, `None` of nothing."""
    if not ordered:
        return None
    # In hundredths, as whole numbers: no rounding of a place that is exact.
    place, part = divmod((len(ordered) - 1) * percent, 100)
    if part == 0:
        return ordered[place]
    hundredths = ordered[place] * 100 + (ordered[place + 1] - ordered[place]) * part
    whole, rest = divmod(hundredths, 100)
    return whole if rest == 0 else hundredths / 100
