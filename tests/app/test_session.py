from harness.app.session import MAX_KEPT, kept


def test_what_was_made_is_not_made_again():
    state, made = {}, []
    for key in "aba":
        kept(state, "maps", key, lambda key=key: made.append(key))
    assert made == ["a", "b"]


def test_of_each_kind_the_latest_few_are_kept():
    state = {}
    for key in range(100):
        kept(state, "images", key, lambda: 1)
        kept(state, "images", 0, lambda: 1)  # in use all the time
    assert list(state["kept/images"]) == [99, 0]
    assert len(state["kept/images"]) == MAX_KEPT["images"]


def test_one_kind_does_not_push_out_another():
    state = {}
    kept(state, "maps", 1, lambda: "map")
    for key in range(10):
        kept(state, "images", key, lambda: "image")
    assert kept(state, "maps", 1, lambda: "made again") == "map"
