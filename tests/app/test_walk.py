"""The real server and a real browser, from the first view to the CSV file, all on this machine."""

import csv
import re
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.app.malformed import good
from tests.app.served import PATIENCE_S, browser, chromium_program, served
from tests.conftest import SHARED_DATA

REAL = SHARED_DATA / "nih-sample" / "images"
MARKED = "<img src=x onerror=document.title='owned'> **b**.png"

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def server(bundles, tmp_path_factory) -> Iterator[str]:
    """The address of `harness app`."""
    pytest.importorskip("streamlit")
    folder = tmp_path_factory.mktemp("server")
    with served(bundles[:2], folder) as address:
        yield address
    assert "Traceback" not in (folder / "stderr").read_text()
    assert not list(folder.glob("**/machine_id*"))


@pytest.fixture(scope="module")
def chromium():
    pytest.importorskip("playwright.sync_api")
    if chromium_program() is None:
        pytest.skip("chromium is not there")
    with browser() as found:
        yield found


@pytest.fixture
def view(chromium, server):
    """A page on which the first answer stands, and what it has asked for and complained of."""
    page = chromium.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(1000 * PATIENCE_S)
    page.requests, page.complaints = [], []
    page.on("request", lambda request: page.requests.append(request.url))
    page.on("console", lambda message: page.complaints.append((message.type, message.text)))
    page.on("pageerror", lambda error: page.complaints.append(("error", str(error))))
    page.goto(server)
    page.get_by_role("list", name="Findings by").wait_for()
    yield page
    far = [url for url in page.requests if not url.startswith((server, "data:", "blob:"))]
    assert far == []
    assert [text for kind, text in page.complaints if kind == "error"] == []
    page.context.close()


@pytest.fixture
def picture(tmp_path) -> Path:
    """A real X-ray, or something gray."""
    if REAL.is_dir():
        return sorted(REAL.glob("*.png"))[0]
    (tmp_path / "gray.png").write_bytes(good()["png"])
    return tmp_path / "gray.png"


def test_an_image_its_findings_and_its_map(view, picture):
    assert view.get_by_text("Not a medical device").is_visible()
    view.locator("input[type=file]").first.set_input_files(picture)
    view.get_by_text(re.compile(r"Original \(PNG, \d+ x \d+ pixels\)")).wait_for()
    seen = [_map(view, "")]
    view.get_by_label("Finding on the map").click()
    view.get_by_role("option", name="Hernia").click()
    seen.append(_map(view, "Hernia"))
    slider = view.get_by_role("slider", name="Opacity of the map")
    slider.focus()
    slider.press("ArrowRight")
    view.wait_for_function(
        "old => document.querySelector('img[alt*=\"for Hernia\"]').src !== old", arg=seen[-1]
    )
    seen.append(_map(view, "Hernia"))
    assert len(set(seen)) == 3


def test_two_models_side_by_side(view):
    view.get_by_label("Compare with").click()
    view.get_by_role("option", name="made/1").click()
    view.get_by_role("list", name="Findings by made/1").wait_for()
    view.locator("img[alt*='Grad-CAM'] >> nth=1").wait_for()
    assert view.locator("img[alt*='Grad-CAM']").count() == 2


def test_many_images_and_the_csv(view, picture, tmp_path):
    (tmp_path / "bad.dcm").write_bytes(b"no radiograph")
    marked = tmp_path / MARKED
    marked.write_bytes(good()["png"])
    view.get_by_role("tab", name="Many images").click()
    files = [picture, tmp_path / "bad.dcm", marked]
    view.locator("input[type=file]").nth(1).set_input_files(files)
    view.get_by_text("2 of 3 files read.").wait_for()
    with view.expect_download() as waiting:
        view.get_by_text("Download the CSV file").click()
    lines = list(csv.DictReader(Path(waiting.value.path()).read_text("utf-8").splitlines()))
    assert len(lines) == 14 + 1 + 14
    assert {line["image"] for line in lines} == {picture.name, "bad.dcm", MARKED}
    assert view.title() == "Chest X-ray findings"


def test_malformed_uploads_leave_the_page_alive(view, odd_uploads, tmp_path):
    names = ("animated.png", "no pixels.dcm", "png of 50000.png", "weights.png", "cut at 5.jpg")
    for number, name in enumerate((*names, MARKED)):
        file = tmp_path / f"{number} {name}"
        file.write_bytes(odd_uploads.get(name, b"nothing"))
        view.locator("input[type=file]").first.set_input_files(file)
        alert = view.get_by_text("This image cannot be shown")
        alert.wait_for()
        assert "Traceback" not in view.content()
        view.get_by_role("button", name="Remove").first.click()
        alert.wait_for(state="detached")
    assert view.title() == "Chest X-ray findings"
    view.get_by_role("list", name="Findings by").wait_for()


def test_an_upload_without_the_token_is_refused(server):
    request = Request(f"{server}/_stcore/upload_file/a/b", data=b"x", method="PUT")
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=PATIENCE_S)
    assert refused.value.code in (400, 403)


def _map(view, finding: str) -> str:
    """The address of the map's picture."""
    image = view.locator(f"img[alt*='What speaks for {finding}']").first
    image.wait_for()
    return str(image.get_attribute("src"))


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 101), ("evil.example", 403)])
def test_a_page_of_another_name_cannot_speak_with_the_server(server, host, status):
    """Else a name that is made to mean this machine would read what is on the page."""
    connection = HTTPConnection("127.0.0.1", int(server.rpartition(":")[2]), timeout=PATIENCE_S)
    headers = {"Host": host, "Upgrade": "websocket", "Connection": "Upgrade"}
    key = {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Sec-WebSocket-Version": "13"}
    connection.request("GET", "/_stcore/stream", headers=headers | key)
    assert connection.getresponse().status == status
    connection.close()
