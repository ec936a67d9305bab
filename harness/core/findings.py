"""The 14 findings of NIH ChestX-ray14, as spelled and ordered in every table of the project."""

FINDINGS: tuple[str, ...] = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
)
NO_FINDING = "No Finding"


def readable(finding: str) -> str:
    """A finding's name as people read it: `Pleural Thickening`."""
    return finding.replace("_", " ")
