"""Write the job that several sites agree on before they train together.

A job is one JSON file: model, recipe, and how the rounds go; all of it is public. The noise is
solved for from --epsilon and --delta. Each site gets a copy (`gradval site`) and answers for that
job alone; docs/federation.md shows the whole way.

With --method sum each site sends noisy sums of clipped gradients, and epsilon holds for what comes
out of a trusted or secure aggregator. With --method average each site trains by itself for some
steps, with all of the noise, and trusts nobody.

Examples:
  gradval job job.json --sizes 500,300,420 --classes 3 --channels 1 --image-size 32 --epsilon 8
  gradval job job.json --method average --sizes 500,300,420 --classes 3 --epsilon 8 --least 2
"""

import argparse

from gradval.cli.arguments import comma_separated, positive


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("job", metavar="JOB", help="file to write")
    parser.add_argument("--method", choices=("sum", "average"), default="sum")
    parser.add_argument(
        "--sizes", type=comma_separated, required=True, help="images of each site, as 500,300,420"
    )
    parser.add_argument("--least", type=positive, help="sites that must answer; default all")
    parser.add_argument("--local-steps", type=positive, default=5, help="of average; default 5")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds a round waits")
    model = parser.add_argument_group("model")
    model.add_argument("--architecture", default="cnn", help="a name, or package.module:function")
    model.add_argument("--width", type=positive, default=16)
    model.add_argument("--groups", type=positive, default=4)
    model.add_argument("--classes", type=positive, required=True, help="how many")
    model.add_argument("--channels", type=int, choices=(1, 3), default=3)
    model.add_argument("--image-size", type=positive, default=32)
    model.add_argument("--seed", type=int, default=0, help="of the initial weights")
    recipe = parser.add_argument_group("recipe")
    recipe.add_argument("--epsilon", type=float, required=True, help="of the training")
    recipe.add_argument("--delta", type=float, default=1e-5)
    recipe.add_argument("--epochs", type=float, default=8)
    recipe.add_argument("--batch-size", type=positive, default=128, help="of all sites together")
    recipe.add_argument("--learning-rate", type=float, default=0.2)
    recipe.add_argument("--momentum", type=float, default=0.9)
    recipe.add_argument("--ema-decay", type=float, default=0.9)
    recipe.add_argument("--clipping-norm", type=float, default=1.0)
    recipe.add_argument("--checkpoints", type=positive, default=5, help="K of VoG")


def run(options: argparse.Namespace) -> int:
    """Solve for the noise and write the job.

    Raises:
        ValueError: a number is out of range, or parts do not go together.
    """
    from pathlib import Path

    from gradval.federation.plan import federation_phase
    from gradval.federation.plans import Job, plan_for, write_job
    from gradval.models.architectures import build_model
    from gradval.training.checkpoints import checkpoint_steps
    from gradval.training.recipe import Recipe

    if not all(size.isdecimal() and int(size) > 0 for size in options.sizes):
        raise ValueError(f"--sizes: must be whole numbers, not {','.join(options.sizes)}")
    sizes = tuple(map(int, options.sizes))
    if options.least and options.least > len(sizes):
        raise ValueError(f"--least: {options.least}, but there are {len(sizes)} sites")
    recipe = Recipe(
        epochs=options.epochs, first_epochs=0, second_epochs=0, batch_size=options.batch_size,
        physical_batch_size=512, learning_rate=options.learning_rate, schedule="constant",
        warmup=0.0, momentum=options.momentum, weight_decay=0.0, ema_decay=options.ema_decay,
        clipping_norm=options.clipping_norm, clipping="bookkeeping",
        checkpoints=options.checkpoints,
    )  # fmt: skip
    goal = {"target_epsilon": options.epsilon, "delta": options.delta, "accountant": "pld"}
    phase = federation_phase(sum(sizes), vars(recipe), goal)
    plan = plan_for(
        options.method, phase, sizes, options.clipping_norm,
        local_steps=options.local_steps, least=options.least,
    )  # fmt: skip
    checkpoint_steps(plan.rounds, recipe.checkpoints)
    names = ("architecture", "width", "groups", "classes", "channels", "image_size", "seed")
    model = {name: getattr(options, name) for name in names}
    build_model(**model)
    job = Job(model, plan, recipe, options.timeout)
    write_job(Path(options.job), job)
    print(
        f"{options.job}: {plan.rounds} rounds, sampling rate {plan.sampling_rate:.4g}, noise "
        f"{plan.noise_multiplier:.4g} for epsilon {options.epsilon:g} at delta {options.delta:g}; "
        f"{plan.least} of {plan.sites} sites must answer"
    )
    print(f"agree on its digest: {job.digest}")
    return 0
