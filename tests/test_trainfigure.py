"""The figures of `chaosnum train`: nothing overlaps or leaves the frame, and what is drawn is what was measured."""

import numpy as np
import pytest

from chaosnum import experiment, report, trainfigure

KAPPA = np.geomspace(0.001, 1, 30)


def result(noise="II", alpha=1.75, seed=1, *, width=1000, depth=1, parametrisation="standard", outside="", **changes):
    """A result of a run with made-up numbers, and tails that are exact power laws."""
    heavy = noise != "none"
    shares = np.linspace(0, 1, 11)
    accuracy = 0.95 - 0.85 * shares**8 - 0.002 * seed
    points = [{"share": s, "ratio": s, "train": {"accuracy": a}, "test": {"accuracy": a - 0.02}}
              for s, a in zip(shares.tolist(), accuracy.tolist())]  # fmt: skip
    share = np.geomspace(1, 1e-3, 30)
    error = np.sqrt(1 - KAPPA)
    predicted = {"predicted": (0.9 * error).tolist(), "low": (0.5 * error).tolist(), "high": error.tolist()}
    return {
        "width": width, "depth": depth, "parametrisation": parametrisation, "unit": "relu", "noise": noise,
        "alpha": alpha if heavy else None, "seed": seed, "outside": outside, "before": points[0],
        "pruned": {**points[2], "share": 0.17}, "sweep": points,
        "tail": {"alpha": alpha if heavy else None, "r": (share ** (-1 / alpha)).tolist(), "share": share.tolist()},
        "curve": {"kappa": KAPPA.tolist(), "measured": error.tolist(),
                  **(predicted if heavy else dict.fromkeys(predicted))}, **changes,
    }  # fmt: skip


def about(runs):
    return {"settings": experiment.Settings().as_dict(), "runs": runs}


DIVERGED = {"before": None, "pruned": None, "sweep": [], "tail": None, "curve": None}
LONG = "4 hidden layers, no factor 1/n and a trained output layer, ReLU units (A1)"
ALL = [("none", 2.0), *((kind, alpha) for kind in ("I", "II", "III", "III-paper") for alpha in (1.75, 1.8, 1.9))]
HARD = {
    "one run": [result("none")],
    "noise against none": [result(noise, seed=seed) for noise in ("none", "I", "II", "III") for seed in (1, 2, 3)],
    "every noise": [result(noise, alpha) for noise, alpha in ALL],
    "many networks": [result(width=width, outside=LONG) for width in (2**24, 1, 2, 3, 4)],
    "diverged": [result("none"), result("I", **DIVERGED), result("II", seed=1), result("II", seed=2, **DIVERGED)],
    "nothing but diverged": [result("I", **DIVERGED)],
    "dead": [result("none", tail={"alpha": None, "r": [0.0] * 5, "share": [0.2, 0.4, 0.6, 0.8, 1.0]},
                    curve={"kappa": [0.5, 1.0], "measured": None, "predicted": None, "low": None, "high": None})],
    "a far column": [result("I", tail={"alpha": 1.1, "r": np.geomspace(1e9, 1, 9).tolist(),
                                       "share": np.geomspace(1e-3, 1, 9).tolist()})],
}  # fmt: skip


def drawn_texts(figure):
    """(words, box) of every text that is seen."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    texts = [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
    for ax in figure.axes:
        texts += [ax.title, ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            ticks = [tick for tick in axis.get_major_ticks() if min(low, high) <= tick.get_loc() <= max(low, high)]
            texts += [tick.label1 for tick in ticks if tick.label1.get_visible()]
    return [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text() and t.get_visible()]


@pytest.mark.parametrize("pages", [trainfigure.accuracy, trainfigure.tails, trainfigure.errors])
@pytest.mark.parametrize("runs", HARD.values(), ids=HARD)
def test_nothing_overlaps_or_leaves_the_frame(runs, pages):
    for figure in pages(about(runs)):
        boxes, frame = drawn_texts(figure), figure.bbox
        for i, (words, box) in enumerate(boxes):
            assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1, words
            for other, second in boxes[i + 1 :]:
                apart = box.x1 <= second.x0 or second.x1 <= box.x0 or box.y1 <= second.y0 or second.y1 <= box.y0
                assert apart, (words, other)
        report.plt.close(figure)


def test_pages():
    runs = HARD["many networks"]
    assert len(trainfigure.accuracy(about(runs))) == 2 and len(trainfigure.tails(about(runs))) == 1
    assert len(trainfigure.errors(about(HARD["every noise"]))) == 2
    assert trainfigure.errors(about(HARD["dead"])) == []  # nothing to draw
    report.plt.close("all")


def test_what_is_drawn_is_what_was_measured():
    runs = HARD["noise against none"]
    (figure,) = trainfigure.accuracy(about(runs))
    train, test = figure.axes
    lines = [line for line in train.lines if len(line.get_xdata()) == 11]
    assert len(lines) == 4
    for line, noise in zip(lines, ("none", "I", "II", "III")):
        mine = [run for run in runs if run["noise"] == noise]
        mean = np.mean([[point["train"]["accuracy"] for point in run["sweep"]] for run in mine], axis=0)
        assert np.allclose(line.get_ydata(), mean)
    dots = [line for line in test.lines if line.get_marker() == "o"]
    assert [list(dot.get_xdata()) for dot in dots] == [[0.17] * 3] * 4  # one for each seed
    report.plt.close(figure)
    (figure,) = trainfigure.errors(about(runs))
    for ax, noise in zip(figure.axes, ("none", "I", "II", "III")):
        curves = [line for line in ax.lines if len(line.get_xdata()) == 30]
        assert len(curves) == 1 + 3 * (1 if noise == "none" else 2)  # the dotted one; each seed's, and its prediction
    report.plt.close(figure)


def test_an_empty_panel_says_why():
    for pages in (trainfigure.accuracy, trainfigure.tails):
        for name, empty in (("nothing but diverged", True), ("diverged", False)):
            (figure,) = pages(about(HARD[name]))
            for ax in figure.axes:
                assert ("every run diverged" in [text.get_text() for text in ax.texts]) == empty
            report.plt.close(figure)


def test_files(tmp_path):
    names = trainfigure.write(tmp_path, about([result("none"), result("I")]), suffixes=(".png",))
    assert names == ["accuracy.png", "tails.png", "errors.png"] == [f.name for f in map(tmp_path.joinpath, names)]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
