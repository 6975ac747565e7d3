"""The pins of conda environments, constraints and the package speak of the same versions."""

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def name_of(requirement):
    return re.split(r"[=<>~! \[]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def pins(lines):
    return {name_of(line): line.split("==")[1].strip() for line in lines if "==" in line}


CONSTRAINTS = pins((ROOT / "constraints.txt").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOW = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["workflow"]]


def test_the_conda_environment_has_the_pinned_versions_of_all_dependencies():
    content = yaml.safe_load((ROOT / "envs/gradval.yaml").read_text())
    (pip,) = (part["pip"] for part in content["dependencies"] if isinstance(part, dict))
    environment = pins(pip)
    assert len(environment) == len(pip)
    assert environment == {name: CONSTRAINTS[name] for name in environment}
    assert set(environment) == set(map(name_of, WORKFLOW))
    (python,) = (part for part in content["dependencies"] if str(part).startswith("python"))
    assert PROJECT["requires-python"] == ">=" + python.split("=")[1]


def test_constraints_meet_what_the_package_asks_for():
    def key(version):
        return [int(part) for part in re.findall(r"\d+", version)]

    for requirement in WORKFLOW:
        name, least = requirement.split(">=")
        assert key(CONSTRAINTS[name_of(name)]) >= key(least), requirement
