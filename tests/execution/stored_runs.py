"""Run directories as a trainer writes them, to be mirrored into a storage."""

from pathlib import Path

RUN = "nih-dannynet/t0007-3fa2c1"


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write as the trainer does: each file beside its place and renamed."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (half := path.with_name(f".{path.name}.new")).write_bytes(data)
        half.replace(path)


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def epoch(number: int) -> dict[str, bytes]:
    """A run directory after an epoch, in the order in which the trainer writes it."""
    return {
        "recipe.json": b"{}",
        "metrics.jsonl": b"".join(b'{"epoch": %d}\n' % n for n in range(1, number + 1)),
        "last.ckpt": b"checkpoint %d" % number,
        "best.safetensors": b"weights %d" % number,
        "status.json": b'{"outcome": "running"}',
    }


def large_epoch(number: int) -> dict[str, bytes]:
    """An epoch whose checkpoint takes several parts to upload."""
    return epoch(number) | {
        "last.ckpt": bytes([number]) * 22_000_000,
        "status.json": b'{"epoch": %d}' % number,
    }
