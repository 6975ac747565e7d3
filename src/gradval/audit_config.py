"""What the config asks to be audited, with stand-ins resolved."""

from gradval.study import Config, ConfigError, Setting, cast, check_part, epsilon_of


def audited_settings(config: Config) -> list[Setting]:
    """The settings whose training is audited; none if nobody plays the data set or the model."""
    block = config["audit"]
    dataset, model = cast(config, block["dataset"]), cast(config, block["model"])
    if dataset is None or model is None:
        return []
    return [Setting(dataset, model, privacy) for privacy in block["privacy"]]


def check_audit(config: Config) -> None:
    """Check what a schema cannot.

    Raises:
        ConfigError: a name refers to nothing, a level is not private, or there are more guesses
            than canaries; in one line.
    """
    block = config["audit"]
    check_part(config, "audit.dataset", block["dataset"], "datasets")
    check_part(config, "audit.model", block["model"], "models")
    for privacy in block["privacy"]:
        if epsilon_of(privacy) is None:
            raise ConfigError(f"audit.privacy: {privacy} makes no claim; use levels such as eps1")
    if block["guesses"] > block["canaries"]:
        raise ConfigError(
            f"audit.guesses: {block['guesses']} is more than the {block['canaries']} of "
            "audit.canaries"
        )
