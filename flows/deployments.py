"""prefect.yaml: what its templates stand for, and whether all of it is right before any of it is deployed.

`prefect deploy --all` deploys one entry after another, and ignores an entry's name that it does not know: a wrong
schedule in the last deployment is found when the others are deployed already, and a misspelt one never.
"""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect import Flow
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule, RRuleSchedule
from prefect.events import DeploymentTriggerTypes
from prefect.exceptions import MissingFlowError, ParameterBindError, ParameterTypeError, SignatureMismatchError
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.collections import get_from_dict
from prefect.utilities.templating import PlaceholderType, apply_values, find_placeholders
from pydantic import PositiveInt, TypeAdapter, ValidationError

from seq2seq.config import load_config
from seq2seq.errors import ConfigError, did_you_mean

# fmt: off
KNOWN_ENTRIES = frozenset({
    "build", "concurrency_limit", "description", "enforce_parameter_schema", "entrypoint", "flow_name", "name",
    "parameters", "paused", "pull", "push", "schedules", "sla", "tags", "triggers", "version",
    "version_type", "work_pool",
})
# fmt: on
POOL_ENTRIES = frozenset({"name", "work_queue_name", "job_variables"})
SCHEDULES = {"cron": CronSchedule, "interval": IntervalSchedule, "rrule": RRuleSchedule}
TIMING = {field for schedule in SCHEDULES.values() for field in schedule.model_fields}
SCHEDULE_ENTRIES = DeploymentScheduleCreate.model_fields.keys() - {"schedule"}
EVERY_DAY = CronSchedule(cron="@daily")
READ_CONFIG = "flows.deployments.read_config"
SHAPES: dict[type, str] = {
    list: "write a list, a dash before each entry",
    Mapping: "write each as name: value",
    str: "write text",
}
DEPLOYMENT_SHAPES = {"name": str, "entrypoint": str, "parameters": Mapping, "schedules": list, "triggers": list}
WAYS_OUT = {
    "cron": 'five fields, minute hour day month weekday, for example "0 3 * * *": every day at 3',
    "timezone": "a name such as Europe/Berlin, or UTC",
    "active": "true or false",
    "collision_strategy": "ENQUEUE (the next run waits) or CANCEL_NEW",
}


class ConcurrencyLimit(ConcurrencyLimitConfig):
    """As the server takes it when a deployment is made."""

    limit: PositiveInt
    collision_strategy: ConcurrencyLimitStrategy


def read_config(source: str) -> dict[str, Any]:
    """A build step of prefect.yaml: a preset or TOML file as `config`, with its `name` and language `pair`.

    Raises ConfigError.
    """
    config = load_config(source)
    return {
        "config": config.model_dump(mode="json"),
        "name": config.name,
        "pair": f"{config.corpus.source_language}-{config.corpus.target_language}",
    }


def checked_deployments(path: Path) -> list[dict[str, Any]]:
    """The deployments of a prefect.yaml with their templates filled in, each with its `flow_name`.

    Raises ConfigError, which names all that is wrong.
    """
    content = _read(path)
    _refuse(path, _file_problems(content))
    deployments = content["deployments"]
    steps = [*(content.get("build") or []), *(content.get("push") or [])]
    configs = _configs(steps)
    values = {**os.environ, **configs}
    filled = [apply_values(one, values, remove_notset=False) for one in deployments]
    _refuse(path, [f"{_title(one)}: {problem}" for one in filled for problem in _shape_problems(one)])
    problems = [f"{_title(one)}: {problem}" for one in filled for problem in _problems(one)]
    others = len(steps) > len(configs)
    for template, one in zip(deployments, filled, strict=True):
        problems += [f"{_title(one)}: {problem}" for problem in _template_problems(template, configs, others)]
    counts = Counter((one.get("entrypoint"), one.get("name")) for one in filled)
    problems += [f"{flow}: {count} deployments named {name}" for (flow, name), count in counts.items() if count > 1]
    _refuse(path, problems)
    return [one | {"flow_name": load_flow_from_entrypoint(one["entrypoint"]).name} for one in filled]


def _refuse(path: Path, problems: Iterable[str]) -> None:
    if listed := [f"  {problem}" for problem in problems]:
        raise ConfigError("\n".join([f"{path}: {len(listed)} wrong; nothing was deployed.", *listed]))


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): run this in the checkout's folder.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict) or not content.get("deployments"):
        raise ConfigError(f"{path} holds no deployments.")
    return content


def _configs(steps: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What the steps that read a configuration give, by their ids; other steps of a file are left to Prefect."""
    return {step[READ_CONFIG]["id"]: read_config(step[READ_CONFIG]["source"]) for step in steps if READ_CONFIG in step}


def _file_problems(content: Mapping[str, Any]) -> Iterator[str]:
    """What has not the shape of a prefect.yaml, before any template is filled in."""
    for place in ("deployments", "build", "push"):
        entries = content.get(place) or []
        if not isinstance(entries, list):
            yield f"{place} is {entries!r}: {SHAPES[list]}"
            continue
        for index, entry in enumerate(entries):
            if not isinstance(entry, Mapping):
                yield f"{place}[{index}] is {entry!r}: {SHAPES[Mapping]}"
            elif place != "deployments" and READ_CONFIG in entry:
                yield from _step_problems(f"{place}[{index}].{READ_CONFIG}", entry[READ_CONFIG])


def _step_problems(place: str, step: Any) -> Iterator[str]:
    """What is wrong with a step that reads a configuration."""
    if not isinstance(step, Mapping):
        yield f"{place} is {step!r}: {SHAPES[Mapping]}"
        return
    for entry, what in (("id", "the name that templates know it by"), ("source", "a preset or a TOML file")):
        if step.get(entry) is None:
            yield f"{place}.{entry}: missing; {what}"
        elif not isinstance(step[entry], str):
            yield f"{place}.{entry} is {step[entry]!r}: write {what}"


def _shape_problems(deployment: Mapping[str, Any]) -> Iterator[str]:
    """Entries that are a list where a mapping is due, and the like."""
    for entry, shape in DEPLOYMENT_SHAPES.items():
        if deployment.get(entry) is not None and not isinstance(deployment[entry], shape):
            yield f"{entry} is {deployment[entry]!r}: {SHAPES[shape]}"


def _title(deployment: Mapping[str, Any]) -> str:
    flow = str(deployment.get("entrypoint", "?")).rpartition(".")[2]
    return f"{flow}/{deployment.get('name', '?')}"


def _template_problems(deployment: Mapping[str, Any], configs: Mapping[str, Any], others: bool) -> Iterator[str]:
    """Templates that Prefect would put nothing in the place of.

    With `others`, or steps of the deployment's own, those may fill what is not of a configuration. What is filled when
    a run begins is left to Prefect.
    """
    others = others or bool(deployment.get("build") or deployment.get("push"))
    triggers = [{**one, "parameters": None} for one in deployment.get("triggers") or [] if isinstance(one, Mapping)]
    there = ", ".join(f"{step}.{entry}" for step, config in configs.items() for entry in config)
    for text, name, kind in sorted(find_placeholders({**deployment, "pull": None, "triggers": triggers})):
        step = name.partition(".")[0]
        later = kind is not PlaceholderType.STANDARD or step == "ctx" or (others and step not in configs)
        if not later and get_from_dict({**os.environ, **configs}, name) is None:
            yield f"{text}: nothing fills this in; the build steps give {there or 'nothing'}"


def _problems(deployment: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a deployment, in words."""
    for entry in deployment.keys() - KNOWN_ENTRIES:
        yield _no_such(entry, KNOWN_ENTRIES)
    if not deployment.get("name"):
        yield "name: missing"
    pool = deployment.get("work_pool")
    if not (isinstance(pool, Mapping) and pool.get("name")):
        yield "work_pool.name: missing; the worker of `make worker` serves seq2seq"
    for entry in (pool.keys() - POOL_ENTRIES) if isinstance(pool, Mapping) else ():
        yield f"work_pool.{_no_such(entry, POOL_ENTRIES)}"
    if deployment.get("concurrency_limit") is not None:
        yield from _limit_problems("concurrency_limit", deployment["concurrency_limit"])
    yield from _parameter_problems(deployment)
    schedules = deployment.get("schedules") or []
    for index, schedule in enumerate(schedules):
        yield from _schedule_problems(f"schedules[{index}]", schedule)
    slugs = Counter(str(one["slug"]) for one in schedules if isinstance(one, Mapping) and one.get("slug"))
    for slug, count in slugs.items():
        if count > 1:
            yield f"schedules: {count} have the slug {slug}"
    for index, trigger in enumerate(deployment.get("triggers") or []):
        yield from _trigger_problems(f"triggers[{index}]", trigger)


def _parameter_problems(deployment: Mapping[str, Any]) -> Iterator[str]:
    """What the flow does not take, of the deployment and of its schedules; of triggers, whose values an event may fill,
    the names.
    """
    entrypoint = deployment.get("entrypoint") or ""
    try:
        flow: Flow[Any, Any] = load_flow_from_entrypoint(entrypoint)
    except (ImportError, AttributeError, MissingFlowError, OSError, ValueError) as error:
        yield f"entrypoint: {entrypoint!r} names no flow ({error}); write package.module.function"
        return
    own = deployment.get("parameters") or {}
    for place, given in (("parameters", {}), *_given(deployment, "schedules")):
        try:
            flow.validate_parameters({**own, **given})
        except (ParameterTypeError, ParameterBindError, SignatureMismatchError) as error:
            yield f"{place}: {error}"
            if place == "parameters":
                break
    known = flow.parameters.properties
    for place, given in _given(deployment, "triggers"):
        yield from (f"{place}.{_no_such(name, known)}" for name in given.keys() - known)


def _given(deployment: Mapping[str, Any], entry: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The parameters of each schedule or trigger that has some, with their place."""
    for index, one in enumerate(deployment.get(entry) or []):
        if isinstance(one, Mapping) and isinstance(one.get("parameters"), Mapping):
            yield f"{entry}[{index}].parameters", one["parameters"]


def _limit_problems(place: str, limit: Any) -> Iterator[str]:
    entries = limit if isinstance(limit, Mapping) else {"limit": limit, "collision_strategy": "ENQUEUE"}
    known = ConcurrencyLimit.model_fields
    for entry in entries.keys() - known:
        yield f"{place}.{_no_such(entry, known)}"
    try:
        ConcurrencyLimit.model_validate({name: value for name, value in entries.items() if name in known})
    except ValidationError as error:
        yield from _explain(place, error)


def _schedule_problems(place: str, schedule: Any) -> Iterator[str]:
    if not isinstance(schedule, Mapping):
        yield f'{place} is {schedule!r}: write what it is and when, for example cron: "0 3 * * *"'
        return
    if not schedule.get("slug"):
        yield f"{place}.slug: missing; a name for it, for example nightly"
    kinds = schedule.keys() & SCHEDULES.keys()
    if len(kinds) != 1:
        yield f"{place}: one of {', '.join(SCHEDULES)} has to say when, not {', '.join(sorted(kinds)) or 'none'}"
        return
    timing = {name: value for name, value in schedule.items() if name in TIMING}
    others = {name: value for name, value in schedule.items() if name not in TIMING}
    parts = ((SCHEDULES[kinds.pop()], timing), (DeploymentScheduleCreate, {"schedule": EVERY_DAY} | others))
    for model, entries in parts:
        try:
            model.model_validate(entries)
        except ValidationError as error:
            yield from _explain(place, error)


def _trigger_problems(place: str, trigger: Mapping[str, Any]) -> Iterator[str]:
    try:
        model = TypeAdapter(DeploymentTriggerTypes).validate_python(trigger)
    except ValidationError as error:
        yield from _explain(place, error)
        return
    for entry in trigger.keys() - type(model).model_fields.keys():
        yield f"{place}.{_no_such(entry, type(model).model_fields)}"
    if "expect" in type(model).model_fields and not trigger.get("expect"):
        yield f"{place}.expect: missing; every event would start a run"


def _explain(place: str, error: ValidationError) -> Iterator[str]:
    for problem in error.errors(include_url=False):
        *parents, field = (str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            yield f"{place}.{_no_such(field, TIMING | SCHEDULE_ENTRIES)}"
            continue
        name = ".".join((place, *parents, field))
        message = problem["msg"].removeprefix("Value error, ")
        way_out = f"; expected: {WAYS_OUT[field]}" if field in WAYS_OUT else ""
        yield f"{name} is {problem['input']!r}: {message}{way_out}"


def _no_such(entry: str, known: Iterable[str]) -> str:
    hint = did_you_mean(str(entry), known, "did") or f"there are: {', '.join(sorted(known))}"
    return f"{entry}: there is no such entry; {hint}"
