"""Figures and page: drawn from verdicts as JSON, whatever is in them; files that outlive a stop."""

import json
import re

import numpy as np
import pytest

from chaosnum import jsonform, page, report, runfolder, table, words


def verdict(**changes):
    """A verdict in JSON form, of an error 0.5 / sqrt(n)."""
    scales = changes.pop("scales", [100, 400, 1600, 6400])
    rate, const = changes.pop("rate", -0.5), changes.pop("const", 0.5)
    points = [
        {"scale": s, "estimate": const * s**rate, "lo": 0.9 * const * s**rate, "hi": 1.1 * const * s**rate,
         "bound": 3 * s**rate, "replicas": 32} for s in scales
    ]  # fmt: skip
    return {
        "claim": "C2", "name": "propagation-of-chaos", "model": "kuramoto",
        "params": {"alpha": 1.5, "K": 1.0, "sigma": 1.0, "T": 1.0}, "statistic": "mean of sup error", "scale": "n",
        "claimed": {"kind": "power", "exponent": -0.5, "sense": "upper"},
        "measured": {"exponent": rate, "ci": [rate - 0.01, rate + 0.01], "local": [rate] * 3},
        "bound": {"holds": True, "slack": 6.0}, "verdict": "holds", "sharp": True, "reason": "as claimed",
        "control": None, "points": points, **changes,
    }  # fmt: skip


def with_alpha(alpha, **changes):
    return verdict(params={"alpha": alpha, "K": 1.0, "sigma": 1.0, "T": 1.0}, **changes)


NOTHING = {"exponent": None, "ci": None, "local": []}
HARD = {
    "a law": verdict(claimed={"kind": "law", "exponent": None, "sense": "exact", "words": "the stated law"},
                     measured=NOTHING | {"ratio": 1.01, "ratio_ci": [0.9, 1.1], "p": 0.3}, rate=0.0, const=1.0),
    "a bound alone": verdict(claimed={"kind": "bound", "exponent": None, "sense": "upper", "words": "<= bound"},
                             measured=NOTHING),
    "a bound with a slope": verdict(claimed={"kind": "bound", "exponent": -0.5, "sense": "upper"}),
    "intervals that reach zero": verdict(points=[
        {"scale": s, "estimate": 0.1 / s, "lo": -0.1 / s, "hi": 0.3 / s, "bound": None, "replicas": 4}
        for s in (10, 20, 40)]),
    "nothing measurable": verdict(measured=NOTHING, verdict="inconclusive", sharp=None, points=[
        {"scale": s, "estimate": None, "lo": None, "hi": None, "bound": None, "replicas": 4} for s in (10, 20, 40)]),
    "one point": verdict(scales=[100]),
    "a bound out of sight": verdict(bound={"holds": True, "slack": 1e12}, points=[
        {"scale": s, "estimate": 1 / s, "lo": 1 / s, "hi": 1 / s, "bound": 1e12, "replicas": 4} for s in (2, 4, 8)]),
    "no model, no parameters": verdict(model="", name="", params={}),
    "markup": verdict(name="<b>&", reason="a < b & c", params={"alpha": 1.5, "data": "<script>"}),
}  # fmt: skip


@pytest.mark.parametrize("hard", HARD.values(), ids=HARD)
def test_whatever_a_verdict_holds_is_shown(hard, tmp_path, capsys):
    files = report.write_figures(tmp_path, [hard])
    assert sorted(p.rsplit(".")[-1] for p in files) == ["pdf", "png"]
    assert (tmp_path / files[0]).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / files[1]).read_bytes().startswith(b"%PDF")
    table.print_verdicts([hard])
    assert "\x1b" not in capsys.readouterr().out


def test_a_figure_has_a_panel_for_each_parameter_and_every_control_in_it():
    verdicts = [with_alpha(a) for a in (1.2, 1.5, 1.8)]
    verdicts += [with_alpha(a, control="common-noise", rate=0.0, verdict="violated") for a in (1.2, 1.5)]
    (group,) = report.groups([*verdicts]).values()
    figure = report.draw(group)
    assert len(figure.axes) == 3
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["α = 1.2", "α = 1.5", "α = 1.8"]
    assert [ax.get_title(loc="right") for ax in figure.axes] == ["holds"] * 3
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "control common-noise: caught 2 of 2"
    assert "explicit bound" in legend
    report.plt.close(figure)


def test_controls_alone_have_figures_too():
    controls = [with_alpha(a, control=c, verdict="violated") for a in (1.2, 2) for c in ("one", "two")]
    figure = report.draw(controls)
    assert [ax.get_title(loc="right") for ax in figure.axes] == ["caught", "caught"]
    report.plt.close(figure)


def test_groups_keep_claims_models_and_statistics_apart():
    verdicts = [verdict(), verdict(model="linear"), verdict(statistic="max of sup error"), verdict(claim="C3")]
    assert len(report.groups(verdicts)) == 4
    assert all(re.fullmatch(r"[a-z0-9-]+", stem) for stem in report.groups(verdicts))


RATES = [
    *(with_alpha(a) for a in (1.2, 1.5, 1.8, 2.0)),
    *(with_alpha(1.2, control=c, rate=0.0, verdict="violated") for c in ("common-noise", "fixed-neighbour")),
]
LEVELS = [  # numbers of many letters beside a linear axis
    with_alpha(a, statistic="mean of excess risk", scales=[1000], measured=NOTHING, bound=None, points=[
        {"scale": 1000, "estimate": 4.5e-4 + a * 1e-5, "lo": 4.4e-4, "hi": 5e-4, "bound": None, "replicas": 9,
         "predicted": 4.5e-4, "lower": 4.2e-4, "upper": 5.4e-4}],
         claimed={"kind": "value", "exponent": None, "sense": "exact", "words": "moments"}) for a in (1.2, 1.5, 1.8)
]  # fmt: skip


@pytest.mark.parametrize("verdicts", [RATES, LEVELS], ids=["rates", "levels"])
def test_nothing_overlaps(verdicts):
    """Texts of a full figure are inside the frame and clear of each other."""
    figure = report.draw(verdicts)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [*figure.texts, *figure.legends[0].get_texts()]
    for ax in figure.axes:
        texts += [ax.title, ax._left_title, ax._right_title, *ax.texts]
        for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
            texts += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text() and t.get_visible()]
    frame = figure.bbox
    labels = [(words, box) for words, box in boxes if box.width > 0]
    for i, (a, box) in enumerate(labels):
        assert frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1, a
        for b, other in labels[i + 1 :]:
            assert not box.overlaps(other), (a, b)
    report.plt.close(figure)


def a_run(path, verdicts):
    claims = {"C2": [{"statement": "E sup <= C / sqrt(n)", "source": "<source>"}]}
    folder = runfolder.RunFolder(path, {"command": "chaosnum verify", "seed": 1, "budget": "quick", "claims": claims})
    for i, v in enumerate(verdicts):
        folder.add(v, [(100, 0, 7, 0.5)], rank=len(verdicts) - i)  # arrives in the reverse order
    return folder


def test_page_is_one_file_that_loads_nothing(tmp_path):
    folder = a_run(tmp_path, [with_alpha(1.2), with_alpha(1.5, verdict="violated", reason="a < b"), HARD["a law"]])
    early = page.write(tmp_path).read_text()
    assert "stopped early" in early
    folder.finish(1.5)
    html = page.write(tmp_path).read_text()
    assert "stopped early" not in html
    assert html.count("data:image/png;base64,") == 1
    assert not re.search(r"(src|href)=\"(?!data:|#)", html) and "@import" not in html and "url(" not in html
    for expected in ("a &lt; b", "&lt;source&gt;", "chaosnum verify", "α = 1.2", "violated", "0.1.0"):
        assert expected in html
    assert html.count("<table>") == html.count("</table>")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ValueError, match="RUN must be the folder of a run"):
        page.write(tmp_path)


def test_a_folder_can_be_read_at_any_moment_and_ends_in_order(tmp_path):
    folder = a_run(tmp_path / "run", [with_alpha(a) for a in (1.8, 1.5, 1.2)])
    run, verdicts = runfolder.load(tmp_path / "run")
    assert not run["finished"] and len(verdicts) == 3
    folder.finish(2.0)
    run, verdicts = runfolder.load(tmp_path / "run")
    assert run["finished"] and [v["params"]["alpha"] for v in verdicts] == [1.2, 1.5, 1.8]
    lines = (tmp_path / "run" / "samples.csv").read_text().splitlines()
    assert [line.split(",")[5] for line in lines] == ["alpha", "1.2", "1.5", "1.8"]
    for name in ("host", "user", str(tmp_path)):
        assert name not in json.dumps(run["machine"])


def test_outside_the_assumptions_is_said_everywhere(tmp_path, capsys):
    strange = verdict(model="network", params={"alpha": 1.5, "data": "digits", "unit": "relu", "loss": "square"})
    said = "ReLU unit and square loss: outside the assumptions"
    table.print_verdicts([strange])
    assert said in capsys.readouterr().out
    figure = report.draw([strange])
    assert any(said in text.get_text() for text in figure.texts)
    report.plt.close(figure)
    a_run(tmp_path, [strange]).finish(1.0)
    assert said in page.write(tmp_path).read_text()


def test_strict_json_has_no_nan():
    given = {"a": np.float64("nan"), "b": [np.inf, 1.0], "c": np.arange(2), "d": (True, None, "x")}
    assert jsonform.strict(given) == {"a": None, "b": [None, 1.0], "c": [0, 1], "d": [True, None, "x"]}


def test_words():
    assert words.number(0.03125) == "0.0312" and words.number(12800.0) == "12800" and words.number(1.2e10) == "1.2e10"
    assert words.number(None) == words.number(float("nan")) == "–"
    assert [words.scale_words(s) for s in (100, 1 / 128, 1e6, 0.3)] == ["100", "1/128", "1e6", "0.3"]
    assert [words.power_words(v) for v in (1e-3, 0.05, 1, 1e4)] == ["10⁻³", "0.05", "1", "10⁴"]
    assert words.claimed_words(verdict()) == "≤ -0.5"
    assert words.claimed_words(verdict(claimed={"kind": "power", "exponent": 2 / 3, "sense": "upper"})) == "≥ 0.667"
    assert words.claimed_words(verdict(claimed={"kind": "power", "exponent": -0.5, "sense": "exact"})) == "= -0.5"
    assert words.outcome(verdict(control="x")) == "missed"
    assert words.outcome(verdict(control="x", verdict="violated")) == "caught"
    assert words.tally([verdict(), verdict(verdict="violated"), verdict(control="x")]) == (
        "1 hold, none inconclusive, 1 violated; controls: 0 of 1 caught"
    )
    rows = [{"alpha": 1.2, "K": 1.0}, {"alpha": 2.0, "K": 1.0}]
    assert words.fold(rows) == (["α = 1.2", "α = 2"], {"K": 1.0})
    assert words.slug("C2", "sup |gap|^2 / n") == "c2-sup-gap-2-n"
