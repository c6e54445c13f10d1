"""prefect.yaml, as far as it can be checked without a server."""

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow

from seq2seq.config import load_config, validate_config

DEPLOYMENTS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[2] / "prefect.yaml").read_text(encoding="utf-8")
)["deployments"]


@pytest.fixture(params=DEPLOYMENTS, ids=lambda deployment: deployment["name"])
def deployment(request: pytest.FixtureRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.param
    return found


def test_a_deployment_names_a_flow_and_parameters_that_it_takes(deployment: dict[str, Any]) -> None:
    module, _, name = deployment["entrypoint"].rpartition(".")
    flow = getattr(importlib.import_module(module), name)

    assert isinstance(flow, Flow)
    flow.validate_parameters(deployment["parameters"])


def test_schedules_are_shipped_inactive(deployment: dict[str, Any]) -> None:
    assert [schedule["active"] for schedule in deployment["schedules"]] == [False]


def test_the_deployment_called_demo_does_what_the_preset_does() -> None:
    demo = next(one for one in DEPLOYMENTS if one["parameters"]["config"]["name"] == "demo")

    assert validate_config(demo["parameters"]["config"]) == load_config("demo")
