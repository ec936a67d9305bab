"""`harness data`: image stores are made and looked into."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Out, Seed
from harness.console import print_table, progress_bar, say_store
from harness.core.errors import HarnessError
from harness.core.files import write_atomic
from harness.data.readers import READERS, Reader

Root = Annotated[Path, typer.Option("--root", help="Folder of the tables and the images.")]
Size = Annotated[int, typer.Option(min=16, help="Side of the stored images, in pixels.")]
MaxBad = Annotated[int, typer.Option(min=0, help="Unreadable images that are borne.")]
SHEET_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
AllowHttp = Annotated[
    bool, typer.Option("--allow-http", help="Take plain http from another machine.")
]

data_app = typer.Typer(help="Make image stores, and look into them.", no_args_is_help=True)
prepare_app = typer.Typer(help="Turn a data set into an image store.", no_args_is_help=True)
download_app = typer.Typer(help="Fetch a data set.", no_args_is_help=True)
data_app.add_typer(download_app, name="download")
data_app.add_typer(prepare_app, name="prepare")


@download_app.command("nih")
def download_nih(
    out: Annotated[Path, typer.Option("--out", help="Folder of the release to fetch.")],
    base: Annotated[
        str, typer.Option(help="Address of a mirror's folder. Without: the NIH's own share.")
    ] = "",
    at_once: Annotated[int, typer.Option(min=1, max=12, help="Files fetched at a time.")] = 4,
    allow_http: AllowHttp = False,
) -> None:
    """Fetch and check the archives of NIH ChestX-ray14 (45 GB).

    There are 12. Run again, it continues.

    Example: harness data download nih --out /data/nih
    """
    from harness.data.http_ranges import Terms
    from harness.data.nih_release import FOLDER_URL, download_nih

    folder = out.resolve()
    with progress_bar("MB", unit=10**6) as progress:
        labels = download_nih(
            folder,
            base=base,
            num_at_once=at_once,
            terms=Terms(allow_http=allow_http),
            progress=progress,
        )
    print((folder / "ATTRIBUTION.txt").read_text(encoding="utf-8"))
    for line in labels.found:
        print(f"found {line}")
    print(f"wrote {folder}")
    if labels.absent:
        print(f"no direct link is known of the label files; fetch by hand from {FOLDER_URL}:")
        print(f"  {', '.join(labels.absent)}  into {folder}")
    print(f"next: harness data prepare nih --root {folder} --out STORE")


@prepare_app.command("nih")
def prepare_nih(
    root: Annotated[
        Path, typer.Option("--root", help="Folder of the NIH release, unpacked or in archives.")
    ],
    out: Out,
    size: Size = 256,
    max_bad: MaxBad = 10,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Threads that decode. Without: one per core, up to 16."),
    ] = None,
) -> None:
    """Make an image store of NIH ChestX-ray14. Run again, it continues.

    Example: harness data prepare nih --root /data/nih --out /data/stores/nih-256
    """
    from harness.data.nih import prepare_nih

    with progress_bar("images") as progress:
        store = prepare_nih(
            root.resolve(),
            out.resolve(),
            size_px=size,
            num_workers=workers,
            max_bad=max_bad,
            progress=progress,
        )
    print(f"labels {store.manifest.label_version}")
    for note in store.manifest.notes:
        print(f"  {note}")
    say_store(store)


def _add_reader(name: str, reader: Reader) -> None:
    """The command `harness data prepare NAME`."""

    def command(root: Root, out: Out, size: Size = 256, max_bad: MaxBad = 10) -> None:
        from harness.data.readers import prepare

        with progress_bar("images") as progress:
            store = prepare(name, root, out, size_px=size, max_bad=max_bad, progress=progress)
        for note in store.manifest.notes:
            print(f"note: {note}")
        say_store(store)

    what = f"Make an image store of {reader.images}. Run again, it continues."
    example = f"harness data prepare {name} --root /data/{name} --out /data/stores/{name}-256"
    text = "\n\n".join(part for part in (what, reader.details, f"Example: {example}") if part)
    prepare_app.command(name, help=text)(command)


for name, reader in READERS.items():
    _add_reader(name, reader)


@prepare_app.command("chestmnist")
def prepare_chestmnist(
    out: Out,
    file: Annotated[
        Path | None,
        typer.Option("--file", help="chestmnist.npz, or one of 64 to 224 px. Without: fetched."),
    ] = None,
    size: Annotated[int, typer.Option(help="Which to fetch: 28, 64, 128 or 224 px.")] = 28,
    base: Annotated[
        str, typer.Option(help="Address of a mirror's folder. Without: MedMNIST's own record.")
    ] = "",
    allow_http: AllowHttp = False,
) -> None:
    """Make an image store of ChestMNIST.

    Its split is a random one and not NIH's official.

    Example: harness data prepare chestmnist --size 64 --out chestmnist-64
    """
    from harness.data.chestmnist import PackAddress, prepare_chestmnist
    from harness.data.http_ranges import Terms

    address = PackAddress(size, base, Terms(allow_http=allow_http))
    with progress_bar("MB", unit=10**6) as progress:
        store = prepare_chestmnist(
            file.resolve() if file else None, out.resolve(), address=address, progress=progress
        )
    print(store.manifest.attribution)
    for note in store.manifest.notes:
        print(f"note: {note}")
    if file is None and (pack := store.path.parent / address.name).exists():
        print(f"fetched {pack}, which the store does not need")
    say_store(store)


@data_app.command("phantom")
def phantom(
    out: Out,
    images: Annotated[int, typer.Option(min=50, help="Number of images.")] = 2000,
    size: Annotated[int, typer.Option(min=32, help="Side of the images, in pixels.")] = 256,
    seed: Seed = 0,
) -> None:
    """Draw a store of synthetic chest radiographs.

    Nothing to download, no patient shown.

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
    split: Annotated[
        str, typer.Option(help="Split whose parts are counted. Without: official, or as_given.")
    ] = "",
    sheet: Annotated[
        Path | None, typer.Option(help="Where the contact sheet goes; else into the store.")
    ] = None,
) -> None:
    """Count images per finding and part, and write a contact sheet.

    Example: harness data show phantom-256
    """
    if sheet and sheet.suffix.lower() not in SHEET_SUFFIXES:
        raise HarnessError(f"--sheet {sheet}: its name must end in {', '.join(SHEET_SUFFIXES)}")
    from harness.data.contact_sheet import contact_sheet, summary_table
    from harness.data.splits import make_split, usual_split
    from harness.data.store import ImageStore

    images = ImageStore.open(store.resolve())
    usual = usual_split(images)
    made = make_split(images, split or usual)
    table = summary_table(images, made)
    print_table([str(table.index.name or ""), *table.columns], table.reset_index().values.tolist())
    if not images.manifest.has_patients:
        print("the source names no patients: whether one is in two parts cannot be told")
    print(f"split {made.name} {made.sha256[:12]}")
    path = sheet.resolve() if sheet else images.path / "contact_sheet.png"
    write_atomic(path, contact_sheet(images).save)
    print(f"wrote {path}")
    setting = "" if usual == "official" else f" --set data.split={usual}"
    search = f"harness search NAME --data {images.path} --trials 60{setting}"
    print(f"next: harness spaces, then {search}")


@data_app.command("check")
def check(
    store: Annotated[Path, typer.Argument(help="An image store.")],
    split: Annotated[
        str,
        typer.Option(help="Split whose parts must not leak. Without: official, or as_given."),
    ] = "",
    out: Annotated[
        Path | None, typer.Option(help="Folder of the report; else the store itself.")
    ] = None,
) -> None:
    """Look for leaks, odd labels and images that are none.

    Exit code 2 at a leak.

    Example: harness data check /data/stores/nih-256
    """
    from harness.data.checks import Verdict, check_store, write_report
    from harness.data.store import ImageStore

    images = ImageStore.open(store.resolve())
    with progress_bar("images") as progress:
        report = check_store(images, split=split, progress=progress)
    rows = [[check.title, check.verdict, check.summary] for check in report.checks.values()]
    print_table(["check", "verdict", "what was found"], rows)
    paths = write_report(report, images, out.resolve() if out else images.path)
    for path in paths:
        print(f"wrote {path}")
    if report.has_leak:
        print("next: look at the leaks in check.html, and split or prepare the images otherwise")
        raise typer.Exit(2)
    has_doubt = any(check.verdict is Verdict.DOUBT for check in report.checks.values())
    look = f"look at the doubts in {paths[0]}, then " if has_doubt else ""
    print(f"next: {look}harness data show {images.path}")
