"""What options several commands share; `harness.words` knows what is meant by them."""

from pathlib import Path
from typing import Annotated

import typer

Results = Annotated[
    Path, typer.Option("--results", envvar="HARNESS_RESULTS", help="Folder of all that is written.")
]
Store = Annotated[Path, typer.Option("--data", help="Image store, made by `harness data prepare`.")]
Address = Annotated[
    str | None,
    typer.Option("--address", help="Ray cluster: `auto`, or host:port. Without: this machine."),
]
StorageUri = Annotated[
    str | None,
    typer.Option(
        "--storage",
        help="Where nodes keep runs that share no results folder: a path, or s3://bucket/prefix",
    ),
]
CpusPerTrial = Annotated[int, typer.Option(min=1, help="CPU cores, and torch threads, of a run.")]
GpusPerTrial = Annotated[
    float | None, typer.Option(min=0, help="GPUs of a run. Without: 1 where Ray has any.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder of the store to write.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of all randomness.")]

RESULTS = Path("results")
