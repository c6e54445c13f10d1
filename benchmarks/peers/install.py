"""Environments of the other toolkits: one each, from the registry, exact versions, on the PyTorch that we use.

    python -m benchmarks.peers.install WORK

makes WORK/env-joeynmt, WORK/env-opennmt and WORK/env-eole, about 1 GB each, and prints what had to be done so that a
toolkit runs on this PyTorch. An environment that is complete is left alone.
"""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from cyclopts import run

from benchmarks.timing import Command

DONE = "installed.txt"


@dataclass(frozen=True)
class Edit:
    """One change of an installed file: the lines that match go."""

    file: str
    """Below site-packages."""
    lines: str
    reason: str


@dataclass(frozen=True)
class Environment:
    """What one toolkit needs."""

    toolkit: str
    """Requirement with its exact version."""
    beside: tuple[str, ...] = ()
    """Requirements that it does not declare, or not so that they fit."""
    undeclared: str = ""
    """Why."""
    declared: bool = True
    """Whether its declared requirements are installed, too."""
    edits: tuple[Edit, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """Empty modules that it imports and never uses here, with the reason."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables that it needs to run."""


ENVIRONMENTS = {
    "joeynmt": Environment(
        "joeynmt==2.3.0",
        ("importlib_metadata", "sentencepiece==0.2.0"),
        "importlib_metadata is imported and not declared",
        edits=(
            Edit(
                "joeynmt/builders.py",
                r'^\s*"verbose": False,\n',
                "ReduceLROnPlateau has no argument `verbose` any more",
            ),
        ),
    ),
    "opennmt": Environment(
        "OpenNMT-py==3.5.1",
        (
            "numpy<2",
            "configargparse",
            "ctranslate2>=4,<5",
            "flask",
            "pyahocorasick",
            "pyonmttok>=1.37,<2",
            "pyyaml",
            "rapidfuzz",
            "regex",
            "sacrebleu",
            "six",
            "tensorboard>=2.3",
            "waitress",
        ),
        "it asks for torch<2.3, so it is installed without its declared requirements, and these beside it",
        declared=False,
        stand_ins={
            "spacy": "imported by a transform for terminology",
            "fasttext": "imported by a transform that filters languages",
        },
        variables={"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"},
    ),
    "eole": Environment("eole==0.6.4", ("aiohttp",), "aiohttp is imported and not declared"),
}


def install(work: Path) -> None:
    """Make the environments.

    Parameters
    ----------
    work
        Folder that the environments go to.
    """
    for name, environment in ENVIRONMENTS.items():
        folder = work.resolve() / f"env-{name}"
        if not (folder / DONE).exists():
            make(environment, folder)
        print(f"{environment.toolkit}, PyTorch {version('torch')}, in {folder}")
        for line in (folder / DONE).read_text(encoding="utf-8").splitlines():
            print(f"  * {line}")


def make(environment: Environment, folder: Path) -> None:
    """One environment; the list of what was done to it comes last and says that it is complete."""
    Command([sys.executable, "-m", "venv", folder]).run()
    torch = f"torch=={version('torch').partition('+')[0]}"
    pip: list[str | Path] = [folder / "bin" / "pip", "install", "--quiet"]
    if environment.declared:
        Command([*pip, torch, environment.toolkit, *environment.beside], environment=os.environ).run()
    else:
        Command([*pip, torch, *environment.beside], environment=os.environ).run()
        Command([*pip, "--no-deps", environment.toolkit], environment=os.environ).run()
    packages = next((folder / "lib").glob("python*/site-packages"))
    done = [environment.undeclared]
    for edit in environment.edits:
        without_lines(packages / edit.file, edit.lines)
        done.append(f"{edit.file}: {edit.reason}")
    for module, reason in environment.stand_ins.items():
        (packages / f"{module}.py").touch()
        done.append(f"{module} is an empty module: {reason}")
    done += [f"{name}={value}" for name, value in environment.variables.items()]
    (folder / DONE).write_text("\n".join(done) + "\n", encoding="utf-8")


def without_lines(path: Path, lines: str) -> None:
    """Take the matching lines out of a file. Raises RuntimeError when there are none: it is another version's file."""
    text, count = re.subn(lines, "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if not count:
        raise RuntimeError(f"{path} has no line like {lines!r}: this is not the version that the edit was written for")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run(install)
