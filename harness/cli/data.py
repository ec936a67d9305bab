"""`harness data`: image stores are made and looked into."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Out, Seed
from harness.console import print_table, progress_bar, say_store

data_app = typer.Typer(help="Make image stores, and look into them.", no_args_is_help=True)
prepare_app = typer.Typer(help="Turn a data set into an image store.", no_args_is_help=True)
data_app.add_typer(prepare_app, name="prepare")


@prepare_app.command("nih")
def prepare_nih(
    root: Annotated[Path, typer.Option("--root", help="Folder of the unpacked NIH release.")],
    out: Out,
    size: Annotated[int, typer.Option(min=16, help="Side of the stored images, in pixels.")] = 256,
    max_bad: Annotated[int, typer.Option(min=0, help="Unreadable images that are borne.")] = 10,
) -> None:
    """Make an image store of NIH ChestX-ray14. Run again, it continues.

    Example: harness data prepare nih --root /data/nih --out /data/stores/nih-256
    """
    from harness.data.nih import prepare_nih

    with progress_bar("images") as progress:
        store = prepare_nih(
            root.resolve(), out.resolve(), size_px=size, max_bad=max_bad, progress=progress
        )
    say_store(store)


@data_app.command("phantom")
def phantom(
    out: Out,
    images: Annotated[int, typer.Option(min=50, help="Number of images.")] = 2000,
    size: Annotated[int, typer.Option(min=32, help="Side of the images, in pixels.")] = 256,
    seed: Seed = 0,
) -> None:
    """Draw a store of synthetic chest radiographs: nothing to download, no patient shown.

    Example: harness data phantom --out phantom-256 --images 2000
    """
    from harness.data.phantom import make_phantom

    with progress_bar("images") as progress:
        store = make_phantom(
            out.resolve(), num_images=images, size_px=size, seed=seed, progress=progress
        )
    say_store(store)


@data_app.command("show")
def show(
    store: Annotated[Path, typer.Argument(help="An image store.")],
    split: Annotated[str, typer.Option(help="Split whose parts are counted.")] = "official",
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; else into the store.")
    ] = None,
) -> None:
    """Count images per finding and part, and write a contact sheet.

    Example: harness data show phantom-256
    """
    from harness.data.contact_sheet import contact_sheet, summary_table
    from harness.data.splits import make_split
    from harness.data.store import ImageStore

    images = ImageStore.open(store.resolve())
    table = summary_table(images, make_split(images, split))
    print_table([str(table.index.name or ""), *table.columns], table.reset_index().values.tolist())
    path = sheet.resolve() if sheet else images.path / "contact_sheet.png"
    contact_sheet(images).save(path)
    print(f"wrote {path}")
    print(f"next: harness spaces, then harness search NAME --data {images.path} --trials 60")
