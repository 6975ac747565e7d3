"""What all four scores cost beside the training that they value.

    python benchmarks/whole_cost.py [--quick]

Measured in turns on one model and one batch, a sample: a DP-SGD step (book-keeping, noise and
update included), the pass of loss, gradient norm and PLIS, and VoG over K checkpoints, read from
their file as in a study. A data set of any size N then costs N (pass + K VoG) once, and N epochs
step for the training, so that the share

    (pass + K VoG) / (epochs step)

does not depend on N. Batches are what the workflow would choose for each. Writes
`docs/performance/whole_cost.csv`. Takes four minutes on two cores.
"""

import argparse
import tempfile
from copy import deepcopy
from pathlib import Path

from measurement import Run, interleaved_seconds, report
from private_step_speed import step
from score_speed import Case, plis, problem, with_batch

from gradval.scores.input_gradients import input_gradients
from gradval.training.checkpoints import Checkpoints, save_checkpoints

MODELS = ("resnet9", "resnet18")
LOGICAL = 128


def vog(case: Case, checkpoints: int, folder: Path) -> Run:
    """VoG's gradients of a batch at every checkpoint of a file."""
    model, images, labels = problem(case)
    path = folder / f"{case.architecture}.safetensors"
    save_checkpoints([deepcopy(model.state_dict()) for _ in range(checkpoints)], path)
    model.requires_grad_(False)

    def run() -> None:
        for checkpoint in Checkpoints(path, model):
            input_gradients(checkpoint, images, labels, "loss")

    return run


def measure(
    architecture: str, logical: int, checkpoints: int, epochs: int, repeats: int, folder: Path
) -> dict:
    """One row for a full-width model at 32x32."""
    case = with_batch(Case(architecture, 32))
    batch = case.batch
    runs = {
        "step": (step(architecture, logical, "bookkeeping"), logical),
        "pass": (plis(case), batch),
        "vog": (vog(case, checkpoints, folder), batch * checkpoints),
    }
    seconds = interleaved_seconds({name: run for name, (run, _) in runs.items()}, repeats)
    ms = {name: 1e3 * seconds[name] / samples for name, (_, samples) in runs.items()}
    scoring, training = ms["pass"] + checkpoints * ms["vog"], epochs * ms["step"]
    return {
        "model": architecture,
        "batch": batch,
        "private_step_ms": round(ms["step"], 2),
        "pass_ms": round(ms["pass"], 2),
        "vog_ms": round(ms["vog"], 2),
        "checkpoints": checkpoints,
        "epochs": epochs,
        "scoring_to_training": round(scoring / training, 3),
    }


def main() -> None:
    """Measure both models and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", type=int, default=10, help="K of VoG")
    parser.add_argument("--epochs", type=int, default=30, help="of the private training")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one small case, nothing written")
    options = parser.parse_args()
    models, logical = (MODELS[:1], 16) if options.quick else (MODELS, LOGICAL)
    sizes = (logical, options.checkpoints, options.epochs, options.repeats)
    with tempfile.TemporaryDirectory() as folder:
        rows = (measure(architecture, *sizes, Path(folder)) for architecture in models)
        report("whole_cost", rows, write=not options.quick)


if __name__ == "__main__":
    main()
