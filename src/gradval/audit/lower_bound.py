"""Lower bounds on epsilon of any mechanism, from one run (Steinke, Nasr, Jagielski 2305.08846).

Each of m canaries is included by a fair coin of its own. Whoever sees the output guesses some of
the coins and abstains from the rest. If the training is (epsilon, delta)-DP under adding or
removing a canary, few guesses can be right, so many right guesses refute that epsilon. Nothing else
is assumed of the training, and the bound is so much the lower (`gradval.audit.f_dp`).

How many guesses are made must not depend on how they turn out: here it is fixed beforehand, and
nothing is tuned on the result.
"""

import numpy as np
from scipy.stats import binom

# Width at which the search for the bound stops, rounded down.
_TOLERANCE = 1e-6
# Beyond this no number of guesses that fits into a computer refutes an epsilon.
_MAX_EPSILON = 64.0


def p_value(correct: int, guesses: int, canaries: int, epsilon: float, delta: float) -> float:
    """The largest probability of so many right guesses under (epsilon, delta)-DP.

    With q = e^epsilon / (1 + e^epsilon), the accuracy of randomised response, and X a
    Binomial(r, q), it is `P[X >= v] + 2 m delta max_i P[v - i <= X < v] / i` with i in 1..v
    (Theorem 5.2, computed as in Appendix D). The first term is that of pure DP, the second what
    delta may add to the number of right guesses.

    Args:
        correct: number v of right guesses.
        guesses: number r of guesses, fixed beforehand.
        canaries: number m of canaries, each included by a fair coin.
        epsilon, delta: of the hypothesis, epsilon >= 0 and delta in [0, 1).

    Returns:
        At most 1.

    Raises:
        ValueError: not 0 <= v <= r <= m, or epsilon or delta outside its range.
    """
    if not 0 <= correct <= guesses <= canaries:
        raise ValueError(
            "correct <= guesses <= canaries must hold, "
            f"got correct={correct}, guesses={guesses}, canaries={canaries}"
        )
    if not (epsilon >= 0 and 0 <= delta < 1):
        raise ValueError(
            f"epsilon must be at least 0 and delta in [0, 1), got epsilon={epsilon}, delta={delta}"
        )
    accuracy = 1 / (1 + np.exp(-epsilon))
    tail = binom.sf(correct - 1, guesses, accuracy)
    if correct == 0:
        return float(tail)
    just_below = binom.pmf(np.arange(correct - 1, -1, -1), guesses, accuracy)
    slack = (just_below.cumsum() / np.arange(1, correct + 1)).max()
    return float(min(1.0, tail + 2 * canaries * delta * slack))


def epsilon_lower_bound(
    correct: int, guesses: int, canaries: int, delta: float, confidence: float
) -> float:
    """The largest epsilon that so many right guesses refute (Corollary 5.4, Appendix D).

    Whatever the audited algorithm, if it is (epsilon, delta)-DP then the bound exceeds epsilon with
    a probability of at most 1 - `confidence`.

    Args:
        correct, guesses, canaries, delta: as in `p_value`.
        confidence: in [0.5, 1), such as 0.95.

    Returns:
        At least 0, which refutes nothing; rounded down to 1e-6.

    Raises:
        ValueError: an argument is out of its range.
    """
    if not 0.5 <= confidence < 1:
        raise ValueError(f"confidence must be in [0.5, 1), got {confidence}")

    def refuted(epsilon: float) -> bool:
        return p_value(correct, guesses, canaries, epsilon, delta) < 1 - confidence

    if not refuted(0.0):
        return 0.0
    # The p-value rises with epsilon as long as it is below a half.
    low, high = 0.0, 1.0
    while refuted(high) and high < _MAX_EPSILON:
        low, high = high, 2 * high
    while high - low > _TOLERANCE:
        middle = (low + high) / 2
        low, high = (middle, high) if refuted(middle) else (low, middle)
    return low
