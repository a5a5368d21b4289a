"""`chaosnum plan`: the theorem's width in words, what it rests on, and what its neighbours cost."""

import json
import math
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from chaosnum import cli, cli_plan, compress, noise, planned, plantable, stable

FALSE_ALARM = 1e-6
ROOT = Path(__file__).parent.parent


def no_constants(name):
    raise ValueError(f"{name} is not JSON")


def run(capsys, alpha=1.5, kappa=0.1, eps=0.2, delta=0.05, *more):
    """Exit status, stdout and the lines of stderr."""
    asked = (f"--{name}={value}" for name, value in
             (("alpha", alpha), ("kappa", kappa), ("eps", eps), ("delta", delta)))  # fmt: skip
    try:
        status = cli.main(["plan", *asked, *map(str, more)])
    except SystemExit as stop:
        status = stop.code
    out, err = capsys.readouterr()
    return status, out, err.splitlines()


def plan(capsys, *asked):
    status, out, err = run(capsys, *(asked or (1.5, 0.1, 0.2, 0.05)), "--json")
    assert (status, err) == (0, [])
    return json.loads(out, parse_constant=no_constants)


def test_the_width_is_required_widths(capsys):
    found = plan(capsys, 1.5, 0.1, 0.2, 0.05)
    width = compress.required_width(1.5, 0.1, 0.2, 0.05)
    assert found["width"]["n"] == width.n and found["width"]["log10_n"] == pytest.approx(width.log10_n, rel=1e-12)
    for name in ("C", "q", "M", "m", "s_delta"):
        assert found["width"][name] == pytest.approx(getattr(width, name), rel=1e-12)
    status, out, _ = run(capsys)
    assert status == 0 and "\x1b" not in out and all(len(line) <= 80 for line in out.splitlines())
    assert f"  N: {width.words}" in out.splitlines()
    assert "to halve it takes 64 times the width" in " ".join(out.split())


def exceedances(sample, n, eps, slack, replicas):
    """How many samples of n have an error above eps (1 + slack)."""
    return sum(compress.error_curve(sample(n, seed), 0.1) > eps * (1 + slack) for seed in range(replicas))


def check_width(n, sample, eps, delta, replicas):
    """The (1 - delta)-quantile of the error at n is within 3 % of eps: counts of exceedances are binomial."""
    most = stats.binom.isf(FALSE_ALARM, replicas, delta)
    least = stats.binom.ppf(FALSE_ALARM, replicas, delta)
    assert exceedances(sample, n, eps, 0.03, replicas) <= most
    assert exceedances(sample, n, eps, -0.03, replicas) >= least > 0
    assert exceedances(sample, n // 10, eps, 0.03, replicas) > most  # partners: another width
    assert exceedances(sample, 10 * n, eps, -0.03, replicas) < least


def test_the_width_is_what_samples_of_it_need(capsys):
    n = plan(capsys, 1.4, 0.1, 0.3, 0.2)["width"]["n"]
    assert 100 < n < 10**4
    check_width(n, lambda n, seed: stable.rvs(1.4, n, seed=seed), 0.3, 0.2, 300)


def test_the_width_of_columns_that_start_somewhere(capsys):
    column = ["--noise", "III", "--dim", 4, "--sigma", 0.5, "--time", 2, "--init-scale", 1]
    found = plan(capsys, 1.3, 0.1, 0.3, 0.2, *column)
    n, scale = found["width"]["n"], 0.5 * 2 ** (1 / 1.3)
    assert not found["pure_noise"] and 100 < n < 10**4

    def sample(n, seed):
        start = np.random.default_rng(seed).standard_normal((4, n))
        return start + scale * noise.increments("III", 1.3, (4, n), seed=seed, step=0)

    check_width(n, sample, 0.3, 0.2, 150)


def test_neighbours_and_rows_agree(capsys):
    found = plan(capsys)
    own = [n for n in found["neighbours"] if (n["kappa"], n["eps"]) == (0.1, 0.2)]
    assert own[0]["n"] == found["width"]["n"] and len(found["neighbours"]) == 9
    assert {(n["kappa"], n["eps"]) for n in found["neighbours"]} == {
        (k, e) for k in (0.05, 0.1, 0.2) for e in (0.1, 0.2, 0.4)}  # fmt: skip
    for n in found["neighbours"]:
        assert n["n"] == compress.required_width(1.5, n["kappa"], n["eps"], 0.05).n
    at_n = next(e for e in found["errors"] if e["n"] == found["width"]["n"])
    assert at_n["exceeded_with_delta"] == pytest.approx(0.2, rel=1e-4)
    for e in found["errors"]:
        assert e["low"] < e["median"] < e["exceeded_with_delta"]
    medians = [e["median"] for e in found["errors"]]
    assert medians == sorted(medians, reverse=True)
    near_one = plan(capsys, 1.5, 0.6, 0.7, 0.05)  # twice of either would be above 1
    assert {n["kappa"] for n in near_one["neighbours"]} == {0.3, 0.6}
    assert {n["eps"] for n in near_one["neighbours"]} == {0.35, 0.7}


@pytest.mark.parametrize(("alpha", "power"), [(1.75, "2 * 10^14"), (1.8, "8 * 10^17"), (1.9, "5 * 10^35")])
def test_astronomical_widths(capsys, alpha, power):
    """theory.md's figures, in powers of ten and plain words."""
    status, out, _ = run(capsys, alpha, 0.1, 0.1, 0.05)
    assert status == 0 and f"N: about {power} columns: more than" in out
    assert re.search(rf"^ +{re.escape(power)} .* 0\.100$", out, re.M)


def test_a_width_beyond_double_precision(capsys):
    found = plan(capsys, 1.9999, 0.1, 0.01, 0.05)
    assert found["width"]["n"] is None and found["width"]["log10_n"] > 1e4 and found["growth"] is None
    assert all(e["n"] is not None for e in found["errors"])
    out = " ".join(run(capsys, 1.9999, 0.1, 0.01, 0.05)[1].split())
    assert re.search(r"N: about \d \* 10\^\d{5} columns", out) and "more than 1e300 times the width" in out


def test_gaussian_noise_is_the_contrast(capsys):
    found = plan(capsys, 2, 0.1, 0.1, 0.05)
    limit = compress.limit_curve(0.1, 2, "gaussian")
    assert found["width"]["n"] is None and not found["width"]["exists"]
    assert found["width"]["limit"] == pytest.approx(limit, rel=1e-6)
    assert found["errors"] == [] and found["growth"] is None and not any(n["exists"] for n in found["neighbours"])
    status, out, _ = run(capsys, 2, 0.1, 0.1, 0.05)
    words = " ".join(out.split())
    assert status == 0 and "no width" in words and f"{limit:.3f}" in words and "alpha = 2 is Gaussian noise" in words
    assert "C =" not in words and "none" in words
    some = plan(capsys, 2, 0.1, 0.8, 0.05)  # above the limit
    assert some["width"]["exists"] and 10 <= some["width"]["n"] < 10**4


def test_scale_free(capsys):
    """Noise alone: sigma and time change nothing, and that is said; beside an initial law they do."""
    plain, scaled = plan(capsys), plan(capsys, 1.5, 0.1, 0.2, 0.05, "--sigma", 30, "--time", 0.1)
    assert scaled["width"]["n"] == pytest.approx(plain["width"]["n"], abs=1)
    assert plain["notes"] == [] and "scale-free" in scaled["notes"][0]
    assert "scale-free" in run(capsys, 1.5, 0.1, 0.2, 0.05, "--sigma", 30)[1]
    one, two = (plan(capsys, 1.5, 0.1, 0.2, 0.05, "--init-scale", 1, "--sigma", s) for s in (1, 0.5))
    assert one["notes"] == [] and one["width"]["n"] < two["width"]["n"]
    assert plain["width"]["n"] < one["width"]["n"]


ASKED = {"alpha": 1.5, "kappa": 0.1, "eps": 0.2, "delta": 0.05}
WRONG = {
    "alpha above 2": ({"alpha": 2.5}, [], "alpha must lie in (0, 2], got 2.5"),
    "alpha 0": ({"alpha": 0}, [], "alpha must lie in (0, 2], got 0"),
    "alpha nan": ({"alpha": "nan"}, [], "alpha must lie in (0, 2], got nan"),
    "alpha a word": ({"alpha": "x"}, [], "argument --alpha: must be a number, got 'x'"),
    "kappa 1": ({"kappa": 1}, [], "kappa must lie in (0, 1), got 1"),
    "eps 0": ({"eps": 0}, [], "eps must lie in (0, 1), got 0"),
    "delta 2": ({"delta": 2}, [], "delta must lie in (0, 1), got 2"),
    "p 0": ({}, ["--p", "0"], "p must lie in (0, inf), got 0"),
    "p below alpha": ({}, ["--p", "1"], "p must be above alpha = 1.5"),
    "noise": ({}, ["--noise", "IV"], "noise must be one of I, II, III, III-paper, got 'IV'"),
    "dim 0": ({}, ["--dim", "0"], "dim must be a whole number in [1, 1000000], got 0"),
    "half a dim": ({}, ["--dim", "2.5"], "dim must be a whole number in [1, 1000000], got 2.5"),
    "huge dim": ({}, ["--dim", "1000001"], "dim must be a whole number in [1, 1000000], got 1000001"),
    "sigma 0": ({}, ["--sigma", "0"], "sigma must lie in (0, inf), got 0"),
    "time -1": ({}, ["--time", "-1"], "time must lie in (0, inf), got -1"),
    "init-scale -1": ({}, ["--init-scale", "-1"], "init_scale must lie in [0, inf), got -1"),
    "huge": ({}, ["--sigma", "1e300", "--init-scale", "1"], "scale"),
    "an argument too many": ({}, ["x"], "unrecognized arguments: x"),
}


@pytest.mark.parametrize(("changes", "more", "words"), WRONG.values(), ids=WRONG)
def test_wrong_usage_is_one_line(capsys, changes, more, words):
    status, out, err = run(capsys, *{**ASKED, **changes}.values(), *more)
    assert (status, out, len(err)) == (2, "", 1)
    assert err[0].startswith("chaosnum: error: ") and words in err[0]


def test_what_is_required(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["plan", "--alpha", "1.5"])
    assert stop.value.code == 2
    assert capsys.readouterr().err == (
        "chaosnum: error: the following arguments are required: --kappa, --eps, --delta\n"
    )


@pytest.mark.parametrize(("n", "words"), [(7.2, "7"), (24532, "24 532"), (9999999, "9 999 999"), (1e7, "10^7"),
                                          (8e17, "8 * 10^17"), (9.7e20, "10^21")])  # fmt: skip
def test_width_words(n, words):
    assert plantable.width_words(n) == plantable.width_words(n, math.log10(n)) == words


def test_width_words_beyond_double_precision():
    assert plantable.width_words(math.inf, 412.3) == "2 * 10^412"
    assert planned.growth(1.9, 2) == pytest.approx(2**38, rel=1e-9) and planned.growth(1.9999, 2) == math.inf
    assert planned.growth(2.0, 2) is None and plantable.factor_words(64.0) == "64 times"


def test_help_imports_nothing_heavy_and_its_examples_work(capsys):
    code = (
        "import sys; from chaosnum import cli\ntry: cli.main(['plan', '--help'])\nexcept SystemExit: pass\n"
        "print([m for m in ('numpy', 'scipy', 'numba', 'matplotlib', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "[]"
    examples = re.findall(r"^  (chaosnum plan .*)$", done.stdout.replace("\\\n", ""), re.M)
    assert len(examples) == 3
    for line in examples:
        assert cli._parser().parse_args(shlex.split(line)[1:]).run is cli_plan._plan
