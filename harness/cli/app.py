"""The command that shows models to others."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import RESULTS, Results


def app(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model",
            help="models:/NAME@ALIAS or an export's folder. Repeatable; without: all promoted.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", help="Image store: its validation images as examples.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8501,
    results: Results = RESULTS,
) -> None:
    """Show promoted models on a page: findings, thresholds, maps.

    The maps tell where the model looks.

    Example: harness app --model models:/dannynet@champion --data /data/stores/nih-256
    """
    from harness.app.serve import check_free, check_installed, is_local, serve

    check_installed()
    check_free(host, port)
    from harness.app.settings import Settings, choices  # takes seconds
    from harness.data.store import ImageStore

    store = str(ImageStore.open(data).path) if data else ""
    chosen = choices(models or [], results.resolve())
    noun = "model" if len(chosen) == 1 else "models"
    print(f"{len(chosen)} {noun}: {', '.join(choice.label for choice in chosen)}", flush=True)
    if not is_local(host):
        print("everybody who reaches this machine can upload; the page asks for no password")
    settings = Settings(models=chosen, results=results.resolve(), store=store)
    serve(settings, host=host, port=port, ready=_say_address)


def _say_address(address: str) -> None:
    print(f"open {address} (Ctrl-C ends it)", flush=True)
