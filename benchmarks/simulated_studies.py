"""What the scorecard says of studies whose truth is known: rates of each verdict.

    python benchmarks/simulated_studies.py [--studies 400] [--output docs/evidence/...csv]

Studies with no effect, half, one and two times the paper's, with two, five and eight seeds of
initial weights, go through the code that judges real ones (`gradval.evidence.simulation`). Without
an effect no claim may be "supported" in more than 5% of studies, whatever the number of seeds.
"""

import argparse
import gc
from pathlib import Path

import pandas as pd

from gradval.evidence.claims import read_claims
from gradval.evidence.simulation import verdict_rates
from gradval.runtime.files import write_text

REPOSITORY = Path(__file__).parents[1]
EFFECTS, SEEDS = (0.0, 0.5, 1.0, 2.0), (2, 5, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument(
        "--output", type=Path, default=REPOSITORY / "docs/evidence/simulated_studies.csv"
    )
    arguments = parser.parse_args()
    gc.freeze()  # statsmodels collects garbage at every call, which takes longer than judging
    claims = read_claims(next(REPOSITORY.glob("*/claims.csv")))
    parts: list[pd.DataFrame] = []
    for n in SEEDS:
        parts += [
            verdict_rates(claims, effects=[effect], seeds=n, studies=arguments.studies)
            for effect in EFFECTS
        ]
        print(f"{n} seeds: {len(EFFECTS)} x {arguments.studies} studies", flush=True)
    rates = pd.concat(parts)
    text = rates.to_csv(index=False, lineterminator="\n", float_format="%.4g")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    write_text(arguments.output, text)
    supported = rates.pivot_table(
        index=["family", "id"], columns=["seeds", "effect"], values="supported", sort=False
    )
    print(supported.round(2).to_string())
    worst = rates[(rates["effect"] == 0) & (rates["id"] != "any")]["supported"].max()
    print(f"\nlargest rate of 'supported' without an effect: {worst:.3f}")


if __name__ == "__main__":
    main()
