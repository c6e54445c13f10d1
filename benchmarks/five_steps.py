"""One pipeline in five steps (fetch, clean, prepare, train, evaluate), as DVC, Snakemake and this project run it.

For DVC and Snakemake each step is a script that calls our pure functions. What a step depends on is declared as a
careful user would: the script, the files it reads, the sections of `params.json` it uses. The modules that a script
imports are not declared, unless the whole package is (`whole_package`), with which everything depends on all of it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import CHECKOUT, Command
from seq2seq.pipeline import STEPS
from seq2seq.storage.artifacts import Workspace, part_of

STAGES = {
    "fetch": ["fetch"],
    "clean": ["clean"],
    "prepare": ["tokenize", "vocabulary", "encode"],
    "train": ["train"],
    "evaluate": ["evaluate"],
}
SETTINGS: dict[str, dict[str, Any]] = {
    "corpus": {"train_pairs": 400, "valid_pairs": 20, "test_pairs": 20},
    "cleaning": {"max_words": 100},
    "tokenization": {},
    "vocabulary": {"kind": "word", "min_frequency": 1},
    "model": {"embedding_size": 16, "encoder_hidden_size": 16, "decoder_hidden_size": 16},
    "training": {
        "max_steps": 40,
        "max_epochs": 0,
        "validations_per_epoch": 0.05,
        "learning_rate": 0.002,
        "seed": 1,
    },
    "evaluation": {"beam_size": 2, "bootstrap_samples": 100},
    "runtime": {"threads": 1, "checkpoint_every_seconds": 0.2},
}
SCRIPT = '''"""Step {stage} of the pipeline."""

import json
import shutil
from pathlib import Path

from seq2seq.storage.artifacts import Artifact
from seq2seq.config import validate_config
from seq2seq.pipeline import STEPS, Job

with Path("ran.log").open("a") as log:
    print("{stage}", file=log)
config = validate_config(json.loads(Path("params.json").read_text()))
for name in {steps}:
    step = STEPS[name]
    into, checkpoints = Path("data", name), Path("checkpoints", name)
    into.mkdir(parents=True, exist_ok=True)
    inputs = [Artifact(Path("data", other), parts) for other, parts in step.inputs.items()]
    step.load()(*map(config.section, step.sections), *inputs, Job(into, checkpoints, config.runtime))
    shutil.rmtree(checkpoints, ignore_errors=True)
'''


class Project(ABC):
    """The pipeline in a folder of its own, with a copy of the library that can be edited."""

    name: str
    cures: Sequence[Sequence[str | Path]] = ()
    """Commands that the tool asks a person to give after an interruption, in order."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self.environment = {**environment, "PYTHONPATH": str(folder), "XDG_CACHE_HOME": str(folder.parent / "cache")}
        self.settings = json.loads(json.dumps(SETTINGS))
        self.package = folder / "seq2seq"
        self._started = 0
        for package in ("seq2seq", "tasks", "flows"):
            shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))

    def set(self, section: str, setting: str, value: Any) -> None:
        """Change one setting."""
        self.settings[section][setting] = value
        self.write_settings()

    def start(self) -> subprocess.Popen[bytes]:
        """Start a run in a process group of its own; what it says goes to a file."""
        self._started += 1
        with (self.folder / f"output-{self._started}.txt").open("wb") as output:
            return subprocess.Popen(
                list(map(str, self.command)),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def timed(self, *arguments: str | Path) -> Command:
        """A command in this project, to be measured."""
        return Command(arguments, self.folder, self.environment)

    def outputs(self) -> str:
        """What all runs said since this was asked last."""
        paths = sorted(self.folder.glob("output-*.txt"))
        said = "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
        for path in paths:
            path.unlink()
        return said

    @property
    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Brings everything up to date."""

    @property
    @abstractmethod
    def checkpoints(self) -> Path:
        """Folder below which an unfinished training lies."""

    @abstractmethod
    def write_settings(self) -> None:
        """Write the settings down where the tool reads them."""

    @abstractmethod
    def executed(self) -> list[str]:
        """The steps that all runs executed since this was asked last."""

    @abstractmethod
    def result(self, step: str, file: str) -> Path:
        """A file that a step made."""


class Ours(Project):
    """This project."""

    name = "this project"

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        super().__init__(folder, environment)
        self.workspace = Workspace(folder / "workspace")
        self.write_settings()

    @property
    def command(self) -> Sequence[str | Path]:
        return (sys.executable, "-m", "flows", "train", "five.toml")

    @property
    def checkpoints(self) -> Path:
        return self.workspace.root / "checkpoints"

    def write_settings(self) -> None:
        lines = (
            "\n".join([f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items())])
            for section, values in self.settings.items()
        )
        (self.folder / "five.toml").write_text("\n".join(lines), encoding="utf-8")

    def executed(self) -> list[str]:
        return re.findall(r"^(\w+) +done ", self.outputs(), re.MULTILINE)

    def result(self, step: str, file: str) -> Path:
        return self.workspace.root / self.workspace.records(step)[0].address / file

    def files(self) -> dict[str, list[str]]:
        """Names of the files that each step makes."""
        return {step: sorted(self.workspace.records(step)[0].files) for step in STEPS}


class Scripts(Project):
    """What DVC and Snakemake share: a script for each step, and the settings in `params.json`."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str],
        binaries: Path,
        files: Mapping[str, Sequence[str]],
        whole_package: bool = False,
    ) -> None:
        super().__init__(folder, environment)
        self.binaries = binaries
        self.files = files
        self.whole_package = whole_package
        self.write_settings()
        (folder / "steps").mkdir()
        for stage, steps in STAGES.items():
            (folder / "steps" / f"{stage}.py").write_text(SCRIPT.format(stage=stage, steps=steps), encoding="utf-8")
        self.write_pipeline()

    @abstractmethod
    def write_pipeline(self) -> None:
        """Write the tool's description of the pipeline."""

    @property
    def checkpoints(self) -> Path:
        return self.folder / "checkpoints"

    def write_settings(self) -> None:
        (self.folder / "params.json").write_text(json.dumps(self.settings, indent=1), encoding="utf-8")

    def executed(self) -> list[str]:
        path = self.folder / "ran.log"
        steps = path.read_text(encoding="utf-8").split() if path.exists() else []
        path.unlink(missing_ok=True)
        return steps

    def result(self, step: str, file: str) -> Path:
        return self.folder / "data" / step / file

    def shell(self, stage: str) -> str:
        """The command of a step."""
        return f"{sys.executable} steps/{stage}.py"

    def sections(self, stage: str) -> list[str]:
        """The settings that a step uses."""
        return [section for step in STAGES[stage] for section in STEPS[step].sections]

    def reads(self, stage: str) -> list[str]:
        """The files that a step reads: its script, and what steps before it made."""
        return [f"steps/{stage}.py"] + [
            f"data/{other}/{file}"
            for step in STAGES[stage]
            for other, parts in STEPS[step].inputs.items()
            for file in self.files[other]
            if other not in STAGES[stage] and (not parts or part_of(file) in parts)
        ]

    def makes(self, stage: str) -> list[str]:
        """The files that a step makes."""
        return [f"data/{step}/{file}" for step in STAGES[stage] for file in self.files[step]]


class Dvc(Scripts):
    """Data Version Control: `dvc repro` over `dvc.yaml`."""

    name = "DVC"

    @property
    def command(self) -> Sequence[str | Path]:
        return (self.binaries / "dvc", "repro")

    def write_pipeline(self) -> None:
        package = ["seq2seq"] if self.whole_package else []
        lines = ["stages:"]
        for stage in STAGES:
            lines += [f"  {stage}:", f"    cmd: {self.shell(stage)}", "    deps:"]
            lines += [f"      - {path}" for path in self.reads(stage) + package]
            lines += ["    params:", "      - params.json:"]
            lines += [f"          - {section}" for section in self.sections(stage)]
            lines += ["    outs:", *(f"      - {path}" for path in self.makes(stage))]
        (self.folder / "dvc.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for arguments in (
            ("init", "--no-scm", "--quiet"),
            ("config", "core.analytics", "false"),
            ("config", "core.check_update", "false"),
        ):
            self.timed(self.binaries / "dvc", *arguments).run()
        (self.folder / ".dvcignore").write_text("__pycache__\n", encoding="utf-8")


class Snakemake(Scripts):
    """Snakemake over a `Snakefile`, with its default rerun triggers."""

    name = "Snakemake"

    @property
    def command(self) -> Sequence[str | Path]:
        return (self.binaries / "snakemake", "--cores", "1")

    @property
    def cures(self) -> Sequence[Sequence[str | Path]]:  # type: ignore[override]  # the path is not known before
        return ((*self.command, "--unlock"), (*self.command, "--rerun-incomplete"))

    def write_pipeline(self) -> None:
        package = sorted(str(path.relative_to(self.folder)) for path in self.package.rglob("*.py"))
        lines = ['configfile: "params.json"', "", "rule all:", "    input:", f"        {self.makes('evaluate')}"]
        for stage in STAGES:
            lines += ["", f"rule {stage}:", "    input:"]
            lines += [f'        "{path}",' for path in self.reads(stage) + (package if self.whole_package else [])]
            lines += ["    output:", *(f'        "{path}",' for path in self.makes(stage)), "    params:"]
            lines += [f'        {section}=config["{section}"],' for section in self.sections(stage)]
            lines += ["    shell:", f'        "{self.shell(stage)}"']
        (self.folder / "Snakefile").write_text("\n".join(lines) + "\n", encoding="utf-8")


def install(tool: str, folder: Path) -> Path:
    """Install a tool from PyPI in an environment of its own, once; gives the folder of its commands."""
    if not (folder / "bin" / tool).exists():
        Command([sys.executable, "-m", "venv", folder]).run()
        Command([folder / "bin" / "pip", "install", "--quiet", tool], environment=os.environ).run()
    return folder / "bin"
