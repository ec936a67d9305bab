"""How long the page takes with DenseNet-121 at 224 px: `python -m tests.app.measure [THREADS]`.

The real server and a real browser; a time is from the click to the new map standing on the page.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from PIL import Image

from tests.app.made_bundle import make_bundle
from tests.app.malformed import gray
from tests.app.served import PATIENCE_S, browser, served

ROUNDS = 5
MAP = "img[alt*='Grad-CAM']"
FINDINGS = ("Hernia", "Mass", "Nodule", "Effusion", "Edema")


def main() -> None:
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        bundle = make_bundle(
            folder / "model", network="densenet121.tv_in1k", size_px=256, input_px=224
        )
        began = time.perf_counter()
        with served([bundle], folder, threads=threads) as address, browser() as chromium:
            print(f"server: {time.perf_counter() - began:.2f} s until it listens")
            for view in ("first", "second"):
                began = time.perf_counter()
                page = chromium.new_page()
                page.set_default_timeout(1000 * PATIENCE_S)
                page.goto(address)
                page.locator(MAP).wait_for()
                print(f"{view} view, with its answer: {time.perf_counter() - began:.2f} s")
            uploads = [_uploaded(folder, number) for number in range(ROUNDS)]
            _say("upload: an answer and a map", page, uploads)
            _say("another finding: a map", page, [_chosen(name) for name in FINDINGS])
            _choose_one_with_a_map(page)
            _say("opacity", page, [_moved] * ROUNDS)


def _say(what: str, page: Any, acts: list[Callable[[Any], None]]) -> None:
    times = []
    for act in acts:
        before = _shown(page)
        began = time.perf_counter()
        act(page)
        page.wait_for_function(
            "([map, old]) => { const all = [...document.querySelectorAll(map)];"
            " return all.length === 1 && all[0].complete && all[0].src + all[0].alt !== old }",
            arg=[MAP, before],
        )
        times.append(time.perf_counter() - began)
    print(f"{what}: first {times[0]:.2f} s, median {median(times):.2f} s, most {max(times):.2f} s")


def _shown(page: Any) -> str:
    return str(page.locator(MAP).evaluate("image => image.src + image.alt"))


def _choose_one_with_a_map(page: Any) -> None:
    """Random weights have findings that nothing speaks for."""
    for finding in FINDINGS:
        _chosen(finding)(page)
        page.locator(f"{MAP}[alt*='for {finding}']").wait_for()
        if "Nothing" not in page.locator(MAP).get_attribute("alt"):
            return


def _uploaded(folder: Path, number: int) -> Callable[[Any], None]:
    file = folder / f"{number}.png"
    picture = Image.fromarray(gray()).rotate(40 * number, fillcolor=9).resize((1024, 1024))
    picture.save(file)
    return lambda page: page.locator("input[type=file]").first.set_input_files(file)


def _chosen(finding: str) -> Callable[[Any], None]:
    def choose(page: Any) -> None:
        page.get_by_label("Finding on the map").click()
        page.get_by_role("option", name=finding).click()

    return choose


def _moved(page: Any) -> None:
    slider = page.get_by_role("slider", name="Opacity of the map")
    slider.focus()
    slider.press("ArrowLeft")


if __name__ == "__main__":
    main()
