"""prefect.yaml, as far as it can be checked without a server, and the forms that Prefect makes of the flows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.flows import load_flow_from_entrypoint
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.utilities.callables import parameter_schema

from flows.__main__ import main
from flows.deployments import checked_deployments
from seq2seq.config import load_config, validate_config
from seq2seq.errors import ConfigError

PREFECT_YAML = Path(__file__).parents[2] / "prefect.yaml"
NOBODY = "http://127.0.0.1:9/api"
FLOWS = ("train_translator", "evaluate_translator", "retrain_translator")


@pytest.fixture(scope="module")
def deployments() -> list[dict[str, Any]]:
    """What prefect.yaml deploys, templates filled in."""
    return checked_deployments(PREFECT_YAML)


@pytest.fixture(params=FLOWS)
def form(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The schema that the UI makes a flow's form of."""
    flow: Flow[Any, Any] = load_flow_from_entrypoint(f"flows.{request.param}.{request.param}")
    return parameter_schema(flow).model_dump()


def fields(schema: dict[str, Any], form: dict[str, Any], place: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field of a form, sections included."""
    for name, field in schema["properties"].items():
        if "$ref" in field:
            field = form["definitions"][field["$ref"].rpartition("/")[2]] | field
            yield from fields(field, form, f"{place}{name}.")
        yield f"{place}{name}", field


def write(folder: Path, entries: dict[Any, Any] | None = None, **more: Any) -> Path:
    """A prefect.yaml with one right deployment, and `entries` on top of it."""
    right = {
        "name": "mine",
        "entrypoint": "flows.train_translator.train_translator",
        "work_pool": {"name": "seq2seq"},
        "parameters": {"config": {}},
    }
    path = folder / "prefect.yaml"
    path.write_text(yaml.safe_dump({"deployments": [right | (entries or {}) | more]}), encoding="utf-8")
    return path


def test_every_flow_is_deployed(deployments: list[dict[str, Any]]) -> None:
    assert {one["entrypoint"].rpartition(".")[2] for one in deployments} == set(FLOWS)


def test_the_deployments_called_demo_do_what_the_preset_does(deployments: list[dict[str, Any]]) -> None:
    for one in deployments:
        assert validate_config(one["parameters"]["config"]) == load_config("demo")


def test_the_champion_is_evaluated_unless_another_model_is_named(deployments: list[dict[str, Any]]) -> None:
    (folder,) = (one["parameters"]["model_dir"] for one in deployments if "model_dir" in one["parameters"])
    corpus = load_config("demo").corpus

    assert folder == f"workspace/models/{corpus.source_language}-{corpus.target_language}"


def test_schedules_are_shipped_inactive(deployments: list[dict[str, Any]]) -> None:
    assert [schedule["active"] for one in deployments for schedule in one.get("schedules", [])] == [False]


def test_every_field_of_a_form_is_described_and_titled(form: dict[str, Any]) -> None:
    for place, field in fields(form, form):
        assert field["description"].endswith("."), place
        assert field["title"], place


def test_every_field_of_the_configuration_has_a_default(form: dict[str, Any]) -> None:
    missing = [
        place for place, field in fields(form, form) if "." in place and not {"default", "properties"} & set(field)
    ]

    assert missing == []


def test_a_form_needs_no_choice_between_kinds_of_values(form: dict[str, Any]) -> None:
    assert [place for place, field in fields(form, form) if {"anyOf", "allOf", "oneOf"} & set(field)] == []


def test_a_form_shows_the_settings_in_the_order_of_their_definition(form: dict[str, Any]) -> None:
    for schema in (form, *form["definitions"].values()):
        positions = [field["position"] for field in schema["properties"].values()]
        assert positions == list(range(len(positions)))


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (
            {"schedules": [{"slug": "x", "cron": "0 25 * * *"}]},
            "schedules[0].cron is '0 25 * * *': Invalid cron string: \"0 25 * * *\"",
        ),
        ({"schedules": [{"cron": "every day"}]}, "expected: five fields, minute hour day month weekday"),
        ({"schedules": [{"cron": "@daily", "timezone": "Europe/Berln"}]}, "schedules[0].timezone is 'Europe/Berln'"),
        (
            {"schedules": [{"cron": "@daily", "activ": True}]},
            "[0].activ: there is no such entry; did you mean active?",
        ),
        ({"schedules": [{"cron": "@daily", "active": "perhaps"}]}, "schedules[0].active is 'perhaps'"),
        ({"schedules": [{"interval": 0}]}, "schedules[0].interval"),
        ({"schedules": [{"timezone": "UTC"}]}, "one of cron, interval, rrule has to say when, not none"),
        (
            {"schedules": [{"slug": "a", "cron": "@daily"}, {"cron": "@daily"}]},
            "schedules[1].slug: missing; a name for it, for example nightly",
        ),
        (
            {"schedules": [{"slug": "a", "cron": "@daily"}, {"slug": "a", "cron": "@hourly"}]},
            "schedules: 2 have the slug a",
        ),
        (
            {"schedules": [{"slug": "a", "cron": "@daily", "parameters": {"workspce": "x"}}]},
            "schedules[0].parameters: Function expects parameters ['config', 'workspace', ",
        ),
        (
            {"schedules": [{"slug": "a", "cron": "@daily", "parameters": {"workspace": ["x"]}}]},
            "schedules[0].parameters: Flow run received invalid parameters",
        ),
        (
            {"triggers": [{"expect": ["x"], "parameters": {"workspce": "x"}}]},
            "triggers[0].parameters.workspce: there is no such entry; did you mean workspace?",
        ),
        ({"scedules": []}, "scedules: there is no such entry; did you mean schedules?"),
        ({"triggers": [{"exspect": ["x"]}]}, "triggers[0].exspect: there is no such entry; did you mean expect?"),
        ({"triggers": [{"match": {}}]}, "triggers[0].expect: missing; every event would start a run"),
        ({"entrypoint": "flows.train_translator.trian"}, "entrypoint: 'flows.train_translator.trian' names no flow"),
        ({"parameters": {"config": {"training": {"learning_rat": 1}}}}, "learning_rat"),
        ({"parameters": {"config": {}, "workspce": "x"}}, "workspce"),
        ({"work_pool": {}}, "work_pool.name: missing"),
        ({"work_pool": "seq2seq"}, "work_pool.name: missing"),
        ({"schedules": ["0 3 * * *"]}, "schedules[0] is '0 3 * * *': write what it is and when, for example cron:"),
        ({"schedule": {"cron": "0 25 * * *"}}, "schedule: there is no such entry; did you mean schedules?"),
        ({"name": None}, "name: missing"),
        ({"parameters": [1]}, "parameters is [1]: write each as name: value"),
        ({"schedules": {"cron": "@daily"}}, "schedules is {'cron': '@daily'}: write a list, a dash before each entry"),
        ({"triggers": 5}, "triggers is 5: write a list, a dash before each entry"),
        ({"entrypoint": ["flows"]}, "entrypoint is ['flows']: write text"),
        ({"work_pool": {"name": "seq2seq"}, 1: 2}, "1: there is no such entry; there are:"),
        ({"concurrency_limit": 0}, "concurrency_limit.limit is 0: Input should be greater than 0"),
        (
            {"concurrency_limit": {"limit": 1}},
            "concurrency_limit.collision_strategy is {'limit': 1}: Field required; expected: ENQUEUE (the next run",
        ),
        (
            {"concurrency_limit": {"limit": 1, "collision_strategy": "QUEUE"}},
            "concurrency_limit.collision_strategy is 'QUEUE'",
        ),
        (
            {"concurrency_limit": {"limit": 1, "collision_stratgy": "ENQUEUE"}},
            "concurrency_limit.collision_stratgy: there is no such entry; did you mean collision_strategy?",
        ),
        (
            {"work_pool": {"name": "seq2seq", "job_varables": {}}},
            "work_pool.job_varables: there is no such entry; did you mean job_variables?",
        ),
    ],
)
def test_a_wrong_entry_is_named_with_its_deployment_and_value(
    tmp_path: Path, entries: dict[Any, Any], said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        checked_deployments(write(tmp_path, entries))

    assert said in str(caught.value)
    assert f"/{entries.get('name', 'mine')}: " in str(caught.value)


def test_all_wrong_entries_are_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, schedules=[{"slug": "a", "cron": "x"}, {"slug": "b", "cron": "y"}], work_pool={})

    with pytest.raises(ConfigError, match="3 wrong; nothing was deployed"):
        checked_deployments(path)


def test_two_deployments_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path)
    one = yaml.safe_load(path.read_text(encoding="utf-8"))["deployments"]
    path.write_text(yaml.safe_dump({"deployments": one * 2}), encoding="utf-8")

    with pytest.raises(ConfigError, match="2 deployments named mine"):
        checked_deployments(path)


def test_deployments_of_a_toml_file_have_its_settings(tmp_path: Path, tiny_project: Path) -> None:
    path = write(tmp_path, name="{{ mine.name }}", parameters={"config": "{{ mine.config }}"})
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    step = {"flows.deployments.read_config": {"id": "mine", "source": str(tiny_project / "tiny.toml")}}
    path.write_text(yaml.safe_dump(content | {"build": [step]}), encoding="utf-8")

    (deployment,) = checked_deployments(path)

    assert deployment["name"] == "tiny"
    assert deployment["parameters"]["config"]["corpus"]["directory"] == str(tiny_project / "corpus")


def with_build(path: Path, *steps: dict[str, Any]) -> Path:
    """The same prefect.yaml, with build steps."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    path.write_text(yaml.safe_dump(content | {"build": list(steps)}), encoding="utf-8")
    return path


READ_DEMO = {"flows.deployments.read_config": {"id": "one", "source": "demo"}}


@pytest.mark.parametrize(
    "entries",
    [
        {"name": "{{ settings.name }}"},
        {"name": "mine", "description": "{{ one.nam }}"},
        {"triggers": [{"expect": ["x"], "match": {"prefect.resource.id": "corpus.{{ settings.name }}"}}]},
    ],
)
def test_a_template_that_nothing_fills_is_named(tmp_path: Path, entries: dict[str, Any]) -> None:
    path = with_build(write(tmp_path, **entries), READ_DEMO)

    with pytest.raises(ConfigError, match=r"\{\{ (settings.name|one.nam) \}\}: nothing .*one.config, one.name, "):
        checked_deployments(path)


def test_templates_that_are_filled_elsewhere_are_left_alone(tmp_path: Path) -> None:
    entries = {
        "description": "{{ prefect.variables.who }} {{ $NOBODY_SETS_THIS }} {{ one.name }}",
        "work_pool": {"name": "seq2seq", "job_variables": {"name": "{{ ctx.flow_run.name }}"}},
        "triggers": [{"expect": ["x"], "parameters": {"workspace": "{{ event.resource.name }}"}}],
        "pull": [{"prefect.deployments.steps.git_clone": {"branch": "{{ asked.when.it.runs }}"}}],
    }

    assert len(checked_deployments(with_build(write(tmp_path, **entries), READ_DEMO))) == 1


def test_another_build_step_may_fill_a_template_but_not_one_of_a_configuration(tmp_path: Path) -> None:
    step = {"prefect.deployments.steps.run_shell_script": {"id": "commit", "script": "git rev-parse HEAD"}}
    path = with_build(write(tmp_path, version="{{ commit.stdout }}"), READ_DEMO, step)
    assert checked_deployments(path)

    path = with_build(write(tmp_path, version="{{ one.stdout }}"), READ_DEMO, step)
    with pytest.raises(ConfigError, match=r"\{\{ one.stdout \}\}: nothing"):
        checked_deployments(path)


READ_CONFIG = "flows.deployments.read_config"
BUILD = "deployments: [{name: a}]\nbuild:"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: [", "is not valid YAML"),
        ("name: x", "holds no deployments"),
        (None, "cannot be read"),
        ("deployments: {name: x}", r"deployments is \{'name': 'x'\}: write a list, a dash before each entry"),
        ("deployments: [x]", r"deployments\[0\] is 'x': write each as name: value"),
        (
            f"{BUILD} {{{READ_CONFIG}: {{id: a, source: demo}}}}",
            r"build is \{.*: write a list, a dash before each entry",
        ),
        (f"{BUILD} [{{{READ_CONFIG}: {{source: demo}}}}]", rf"build\[0\]\.{READ_CONFIG}\.id: missing; .*templates"),
        (
            f"{BUILD} [{{{READ_CONFIG}: {{id: a, source: 5}}}}]",
            rf"build\[0\]\.{READ_CONFIG}\.source is 5: write .*TOML",
        ),
        (f"{BUILD} [{{{READ_CONFIG}: demo}}]", rf"build\[0\]\.{READ_CONFIG} is 'demo': write each as name: value"),
    ],
)
def test_a_file_that_is_no_prefect_yaml_is_refused_in_words(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "prefect.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=said):
        checked_deployments(path)


def test_a_wrong_schedule_ends_the_command_before_a_server_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, schedules=[{"cron": "0 25 * * *"}])

    with temporary_settings({PREFECT_API_URL: NOBODY}):
        assert main(["deploy", "--file", str(path)]) == 2

    assert "schedules[0].cron is '0 25 * * *'" in capsys.readouterr().err


def test_what_a_schedule_gives_is_checked_with_the_deployment_s_own_parameters(tmp_path: Path) -> None:
    schedules = [{"slug": slug, "cron": "@daily", "parameters": {"workspace": slug}} for slug in ("one", "two")]

    assert len(checked_deployments(write(tmp_path, schedules=schedules))) == 1


@pytest.mark.parametrize(
    "command", [["deploy", "--file", str(PREFECT_YAML)], ["worker"], ["corpus", "changed", "demo"]]
)
def test_commands_that_need_a_server_say_where_none_answers(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with temporary_settings({PREFECT_API_URL: NOBODY}):
        assert main(command) == 2

    assert f"No Prefect server answers at {NOBODY}" in capsys.readouterr().err
