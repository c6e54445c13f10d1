"""What the comparisons with other toolkits are told on the command line, each said once."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Work = Annotated[Path, Parameter(help="Folder of the environments and of everything that is made.")]
Corpus = Annotated[Path, Parameter(help="Folder with Multi30k: train, valid and test_2016_flickr, each .de and .en.")]
Systems = Annotated[str, Parameter(help="Names from benchmarks.peers.systems, separated by commas.")]
Threads = Annotated[int, Parameter(help="Threads of each system.")]
