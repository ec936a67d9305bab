"""The whole page in Streamlit's own test bench: every control, and what the models were asked."""

import numpy as np
import pytest

from harness.app import models
from harness.app.batch import MAX_FILES
from harness.app.settings import ModelChoice
from harness.app.sidebar import NOTICE
from harness.bundle.classifier import Classifier
from harness.core.findings import FINDINGS
from harness.data.phantom.make import make_phantom
from harness.data.radiograph import read_radiograph
from tests.app.made_bundle import make_bundle
from tests.app.malformed import good
from tests.data.dicom_files import SECRET, dicom, ramp

ASKED = "Finding on the map"


def test_the_first_view_has_a_notice_an_example_and_its_answer(page):
    shown = page()
    _is_well(shown)
    assert NOTICE in shown.warning[0].value
    assert "not a medical device" in NOTICE.lower()
    assert "trained on drawn images" in shown.warning[0].value
    assert len(shown.warning) == 1
    assert len(_captions(shown)) == 2
    assert "synthetic" in _captions(shown)[0]
    assert _box(shown, "Model").value.label == "first"
    assert "5 of 14 findings flagged" in shown.markdown[0].value.replace("\\", "")


def test_the_map_is_of_the_finding_that_was_chosen(page, monkeypatch):
    asked = []

    def spot(network, square_HW, finding, recipe):
        asked.append(finding)
        heat = np.zeros(square_HW.shape, dtype=np.float32)
        heat[finding, finding] = 1
        return heat

    monkeypatch.setattr(models, "grad_cam", spot)
    shown = page()
    first = _box(shown, ASKED).value
    assert asked[-1] == FINDINGS.index(first)
    assert _bars(shown)[0] == first
    for finding in ("Hernia", "Pneumothorax"):
        _box(shown, ASKED).set_value(finding).run()
        assert asked[-1] == FINDINGS.index(finding)
        assert finding in _captions(shown)[1]
    num_asked = len(asked)
    _box(shown, ASKED).set_value(first).run()  # kept from before
    shown.slider(key="opacity").set_value(20).run()
    assert len(asked) == num_asked
    _is_well(shown)


def test_shown_are_the_probabilities_of_the_classifier(page, bundles):
    content = good()["png"]
    answer = Classifier.load(bundles[0]).answer(read_radiograph(content))
    shown = page()
    shown.file_uploader(key="upload").upload("a.png", content).run()
    bars = next(each.value for each in shown.html if 'role="list"' in each.value)
    for finding, probability in zip(FINDINGS, answer.probability_L, strict=True):
        item = bars[bars.index(f">{finding.replace('_', ' ')}<") :]
        assert f"width:{100 * probability:.2f}%" in item[: item.index("</div>")]


def test_an_upload_takes_the_place_of_the_example(page):
    shown = page()
    example = _captions(shown)[0]
    shown.file_uploader(key="upload").upload("a.dcm", dicom(ramp(96))).run()
    _is_well(shown)
    assert "DICOM, 96 x 96" in _captions(shown)[0]
    assert _box(shown, "or an example").disabled
    assert not shown.checkbox  # no boxes are known
    assert SECRET not in str(shown)
    shown.file_uploader(key="upload").clear().run()
    assert _captions(shown)[0] == example


def test_a_bad_upload_is_one_line_and_the_page_goes_on(page):
    shown = page()
    shown.file_uploader(key="upload").upload("<b>.png", b"not an image").run()
    assert len(shown.error) == 1
    assert shown.error[0].value.startswith("This image cannot be shown: not an image")
    assert not shown.exception
    assert _captions(shown) == []
    shown.file_uploader(key="upload").set_value(("a.png", good()["png"], "image/png")).run()
    _is_well(shown)
    assert "PNG" in _captions(shown)[0]


def test_boxes_can_be_hidden(page):
    shown = page()
    with_boxes = _pictures(shown)[0]
    shown.checkbox(key="boxes").uncheck().run()
    assert _pictures(shown)[0] != with_boxes
    _is_well(shown)


def test_another_example_is_another_picture_and_the_opacity_changes_the_map(page):
    shown = page()
    first = _pictures(shown)
    shown.slider(key="opacity").set_value(0).run()
    assert _pictures(shown)[0] == first[0]
    assert _pictures(shown)[1] != first[1]
    _box(shown, "or an example").set_value("Phantom 3").run()
    assert _pictures(shown)[0] != first[0]


def test_two_models_are_compared_on_one_image_and_in_one_order(page):
    shown = page()
    other = next(c for c in _box(shown, "Compare with").options if "second" in c)
    _box(shown, "Compare with").select(other).run()
    _is_well(shown)
    assert len(_captions(shown)) == 3
    first, second = (_order(each.value) for each in shown.html if 'role="list"' in each.value)
    assert first == second
    assert "by first" in _captions(shown)[1].replace("\\", "")
    assert "by second" in _captions(shown)[2].replace("\\", "")


def test_a_finding_that_one_of_two_models_does_not_know_is_told(page):
    shown = page()
    _box(shown, "Compare with").select("own").run()
    _box(shown, ASKED).set_value("Hernia").run()
    _is_well(shown)
    assert "own does not know Hernia" in shown.info[0].value.replace("\\", "")
    _box(shown, ASKED).set_value("Own_Finding").run()
    assert "first does not know Own Finding" in shown.info[0].value.replace("\\", "")


def test_a_network_without_maps_answers_all_the_same(page, tmp_path):
    bundle = make_bundle(tmp_path / "levit", network="levit_128s", size_px=224, input_px=224)
    shown = page(models=(ModelChoice(label="levit", source=str(bundle)),))
    _is_well(shown)
    assert "levit cannot show where it looks" in shown.info[0].value.replace("\\", "")
    assert len(_captions(shown)) == 1
    assert any('role="list"' in each.value for each in shown.html)


def test_another_model_answers(page):
    shown = page()
    _box(shown, "Model").select("own").run()
    _is_well(shown)
    assert "of 3 findings" in shown.markdown[0].value.replace("\\", "")
    assert any("A made model" in each.value for each in shown.markdown)
    assert not any("![" in each.value.replace("\\[", "") for each in shown.markdown)


def test_a_model_that_cannot_be_loaded_is_one_line(page, settings, tmp_path):
    lost = settings.models[0].model_copy(update={"source": str(tmp_path / "gone")})
    shown = page(models=(lost,))
    assert "bundle.json" in shown.error[0].value.replace("\\", "")
    assert not shown.exception


def test_an_unforeseen_failure_is_one_line_without_its_words(page, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError(SECRET)

    shown = page()
    monkeypatch.setattr(models, "grad_cam", fail)
    _box(shown, ASKED).set_value("Hernia").run()
    assert "something unforeseen went wrong" in shown.error[0].value
    assert not shown.exception
    assert SECRET not in str(shown) + caplog.text


def test_validation_images_of_a_store_are_examples(page, tmp_path):
    store = make_phantom(tmp_path / "store", num_images=60, size_px=64, num_workers=1)
    shown = page(store=str(store.path))
    _is_well(shown)
    name = _box(shown, "or an example").value
    assert name in set(store.table["image"])
    assert "validation image of phantom" in _captions(shown)[0].replace("\\", "")
    assert any("may have trained on these" in each.value for each in shown.caption)


def test_a_store_that_is_gone_leaves_the_phantoms(page, tmp_path):
    shown = page(store=str(tmp_path / "gone"))
    assert "The store cannot be shown" in shown.error[0].value
    assert "synthetic" in _captions(shown)[0]


def test_many_files_each_get_a_line_and_a_csv(page, odd_uploads):
    files = [(name, content, "") for name, content in odd_uploads.items()]
    assert 200 <= len(files) <= MAX_FILES
    shown = page()
    shown.file_uploader(key="batch").set_value(files).run()
    _is_well(shown)
    table = shown.dataframe[0].value
    assert len(table) == len(files)
    is_bad = table["found"].str.startswith("not read: ")
    assert f"{(~is_bad).sum()} of {len(files)} files read" in _said(shown)
    assert 100 < is_bad.sum() < len(files) - 40
    assert not table["image"].str.contains("[\n\x00\u202e]", regex=True).any()
    assert shown.get("download_button")


def test_more_files_than_are_read_are_told(page, monkeypatch):
    monkeypatch.setattr("harness.app.batch_view.MAX_FILES", 1)
    shown = page()
    files = [("a.png", good()["png"], ""), ("b.png", good()["png"], "")]
    shown.file_uploader(key="batch").set_value(files).run()
    assert "only the first 1" in shown.warning[1].value
    assert len(shown.dataframe[0].value) == 1


@pytest.mark.parametrize("name", ["**b**.png", "<img src=x>.png", "https://evil.example"])
def test_no_name_of_a_file_reaches_the_page_as_markdown_or_html(page, name):
    shown = page()
    shown.file_uploader(key="upload").upload(name, b"bad").run()
    shown.file_uploader(key="batch").set_value([(name, b"bad", "")]).run()
    texts = [each.value for kind in (shown.markdown, shown.html, shown.error) for each in kind]
    assert not any(name in text for text in texts)
    assert shown.dataframe[0].value["image"][0] == name


def _is_well(shown) -> None:
    assert not shown.exception
    assert [each.value for each in shown.error] == []


def _box(shown, label):
    return next(each for each in shown.selectbox if each.label == label)


def _captions(shown) -> list[str]:
    return [caption.replace("\\", "") for each in shown.get("image") for caption in each.captions]


def _pictures(shown) -> list[str]:
    return [url for each in shown.get("image") for url in each.value]


def _bars(shown) -> list[str]:
    return _order(next(each.value for each in shown.html if 'role="list"' in each.value))


def _order(bars: str) -> list[str]:
    names = (part.partition("<")[0] for part in bars.split('class="name">')[1:])
    return [name.replace(" ", "_") for name in names]


def _said(shown) -> str:
    return " ".join(each.value for each in shown.markdown).replace("\\", "")
