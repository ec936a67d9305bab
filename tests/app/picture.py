"""The picture in the README: `python -m tests.app.picture BUNDLE results/phantom/app.png`.

BUNDLE is what `harness export` made of a run on the phantom, trained longer than the quickstart's:

    harness train dannynet-mini --data results/stores/phantom-64px-2400 --out run \\
        --set optim.lr=3e-3 --set train.epochs=25
    harness export run --to BUNDLE
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from tests.app.served import PATIENCE_S, browser, served

SIZE_PX = (1200, 800)
EXAMPLE, FINDING = "Phantom 8", "Atelectasis"
"""Chosen to show a map that is right: none of the nine others has one that peaks in its box."""
MAP = "img[alt*='Grad-CAM']"


def main() -> None:
    bundle, out = (Path(word).resolve() for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with served([bundle], folder) as address, browser() as chromium:
            width, height = SIZE_PX
            page = chromium.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(1000 * PATIENCE_S)
            page.goto(address)
            page.get_by_label("or an example").click()
            page.get_by_role("option", name=EXAMPLE, exact=True).click()
            page.locator(f"{MAP}[alt*='for {FINDING}']").wait_for()
            page.mouse.move(0, 0)
            page.evaluate("document.activeElement.blur()")
            page.wait_for_timeout(2000)  # what fades in has come
            page.screenshot(path=folder / "page.png")
        with Image.open(folder / "page.png") as page_image:
            page_image.convert("RGB").quantize(256).save(out, optimize=True)
    print(f"wrote {out}: {out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
