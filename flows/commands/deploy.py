"""`python -m flows deploy`: what `prefect.yaml` describes, on a server that is to stay."""

import os
import subprocess
import sys
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from flows.commands.automations import SILENT_SECONDS
from flows.connection import address_of, lasting_server
from seq2seq.errors import ConfigError, Seq2SeqError

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import DeploymentSchedule
    from prefect.client.schemas.responses import DeploymentResponse

POOL = "seq2seq"


class DeployError(Seq2SeqError):
    """Prefect refused what our own check let pass."""


def deploy(
    *,
    file: Annotated[Path, Parameter(name="--file", help="File that describes the deployments.")] = Path("prefect.yaml"),
) -> None:
    """Register the deployments of prefect.yaml with Prefect's server: all of them, or none when one is wrong."""
    from flows.automations import DEAD_RUNS, dead_runs_crash
    from flows.deployments import checked_deployments

    wanted = {f"{one['flow_name']}/{one['name']}": one for one in checked_deployments(file)}
    with lasting_server() as client:
        _prepare_pools(client, {name: one["work_pool"]["name"] for name, one in wanted.items()}, file)
        before = {name: _find(client, name) for name in wanted}
        _deploy_all(file, address_of(client))
        for name, one in wanted.items():
            _remove_schedules(client, _find(client, name), {entry["slug"] for entry in one.get("schedules") or []})
            print(f"{name:30} {', '.join(_summary(_find(client, name), before[name]))}")
        if not client.read_automations_by_name(DEAD_RUNS):
            client.create_automation(dead_runs_crash(SILENT_SECONDS))


def _prepare_pools(client: "SyncPrefectClient", names: Mapping[str, str], file: Path) -> None:
    """Create our own work pool where it is missing; raises ConfigError for another one that is."""
    from prefect.client.schemas.actions import WorkPoolCreate

    there = {pool.name for pool in client.read_work_pools()}
    missing = {name: pool for name, pool in names.items() if pool not in there | {POOL}}
    if missing:
        listed = "\n".join(f"  {name}: work_pool.name is {pool!r}" for name, pool in missing.items())
        raise ConfigError(
            f"{file} names work pools that the server does not have; nothing was deployed.\n{listed}\n"
            f"There are: {', '.join(sorted(there | {POOL}))}. `prefect work-pool create NAME --type process` makes one."
        )
    if POOL not in there:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _deploy_all(file: Path, address: str) -> None:
    command = [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(file)]
    environment = {**os.environ, "PREFECT_API_URL": address}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DeployError(f"prefect deploy failed:\n{done.stdout}{done.stderr}")


def _remove_schedules(client: "SyncPrefectClient", deployment: "DeploymentResponse", kept: Container[str]) -> None:
    """Delete the schedules whose slugs are not among those of the file: Prefect only changes and adds by slug."""
    for schedule in deployment.schedules:
        if schedule.slug and schedule.slug not in kept:
            client.delete_deployment_schedule(deployment.id, schedule.id)


def _find(client: "SyncPrefectClient", name: str) -> "DeploymentResponse | None":
    from prefect.exceptions import ObjectNotFound

    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None


def _summary(now: "DeploymentResponse", before: "DeploymentResponse | None") -> Iterator[str]:
    """What a deployment runs on, and what was otherwise before: a change made in the UI does not go in silence."""
    switches, was = _switches(now), _switches(before) if before else {}
    for name, state in switches.items():
        yield f"{name}: {state}" + (f" (was {was[name]})" if was.get(name, state) != state else "")
    if not switches:
        yield "on demand"
    for name in sorted(was.keys() - switches.keys()):
        yield f"{name}: removed (was {was[name]})"
    if before and now.parameters != before.parameters:
        yield "parameters: changed"


def _switches(deployment: "DeploymentResponse") -> dict[str, str]:
    """Whether each schedule of a deployment is active, by its name and when it fires."""
    return {_when(one): "active" if one.active else "inactive" for one in deployment.schedules}


def _when(entry: "DeploymentSchedule") -> str:
    schedule = entry.schedule.model_dump(exclude_none=True)
    words = (entry.slug, *(schedule.get(name) for name in ("cron", "rrule", "interval", "timezone")))
    return " ".join(str(word) for word in words if word)
