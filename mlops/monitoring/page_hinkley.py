"""Page–Hinkley: notices that the mean of a stream has moved, also where it moves slowly (Page 1954, Hinkley 1971)."""

from __future__ import annotations


class PageHinkley:
    """Two-sided, against the mean of all values since the last alarm.

    Of values x with running mean m, the sums of (x - m - delta) and of (x - m + delta) wander; a rise of the one above
    its lowest point, or a fall of the other below its highest, by more than *threshold* is an alarm. As river's
    ``PageHinkley`` with ``alpha=1``.
    """

    def __init__(self, *, delta: float, threshold: float, warm_up: int = 30) -> None:
        """Nothing was seen yet.

        Args:
            delta: how far the mean may wander unnoticed, in the unit of the values; half of the smallest move that
                matters.
            threshold: of the sums, in the same unit. Higher means fewer false alarms, and later ones.
            warm_up: how many values to see before the first alarm.

        Raises:
            ValueError: *delta* is below 0, *threshold* is not above 0, or *warm_up* is below 1.
        """
        if delta < 0 or threshold <= 0 or warm_up < 1:
            raise ValueError(
                f"delta must be at least 0, threshold above 0, warm_up at least 1; got {delta}, {threshold}, {warm_up}"
            )
        self._delta = delta
        self._threshold = threshold
        self._warm_up = warm_up
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._n = 0
        self._mean = 0.0
        self._rise = self._lowest = self._fall = self._highest = 0.0

    def update(self, value: float) -> int:
        """See *value*: 1 where the mean has risen, -1 where it has fallen, else 0. An alarm forgets everything."""
        self._n += 1
        self._mean += (value - self._mean) / self._n
        deviation = value - self._mean
        self._rise += deviation - self._delta
        self._fall += deviation + self._delta
        self._lowest = min(self._lowest, self._rise)
        self._highest = max(self._highest, self._fall)
        if self._n < self._warm_up:
            return 0
        has_risen = self._rise - self._lowest > self._threshold
        if not has_risen and self._highest - self._fall <= self._threshold:
            return 0
        self.reset()
        return 1 if has_risen else -1
