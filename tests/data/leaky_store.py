"""A store whose official split has a patient in two of its parts."""

from pathlib import Path

from harness.data.store import ImageStore, StoreOrigin, write_store


def leaky_copy(store: ImageStore, folder: Path) -> ImageStore:
    """`store` in another folder, its last image with the patient of its first."""
    table = store.table.copy()
    table.loc[table.index[-1], "patient"] = table["patient"].iloc[0]
    told = {name: getattr(store.manifest, name) for name in StoreOrigin.model_fields}
    return write_store(
        folder, images=store.images, table=table, boxes=None, origin=StoreOrigin(**told)
    )
