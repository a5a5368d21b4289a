"""README.md: its code runs as written and prints what is written there; its numbers and options are the package's."""

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import chaosnum as cn

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.M | re.S)


def run(arguments, folder, *, path=()):
    """A Python process in `folder`, which finds the package from anywhere -> its completed process."""
    found = os.pathsep.join(map(str, [*path, ROOT]))
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env={**os.environ, "PYTHONPATH": found}, capture_output=True,
        text=True, encoding="utf-8", timeout=300,
    )  # fmt: skip


@pytest.fixture(scope="module")
def own_claim(tmp_path_factory):
    """The folder with the claim of the README, saved as it stands and run."""
    folder = tmp_path_factory.mktemp("own")
    (script,) = blocks("python")
    (folder / "sgd_averaging.py").write_text(script, encoding="utf-8")
    return folder, run(["sgd_averaging.py"], folder)


def test_own_claim_runs_as_written(own_claim):
    folder, done = own_claim
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()]
    assert {(name, verdict) for name, _, verdict, _ in rows} == {("averaging", "holds"), ("last-iterate", "violated")}
    assert len(rows) == 6
    assert [done.stdout] == blocks("text")[-1:], "the output in README.md is not what the script prints"
    for suffix, magic in ((".png", b"\x89PNG"), (".pdf", b"%PDF")):
        picture = folder / f"averaging-median-of-error{suffix}"
        assert picture.name.removesuffix(suffix) in TEXT and picture.read_bytes().startswith(magic)


def test_own_claim_is_twenty_lines():
    """Its definition and its measure, without imports, docstring and what prints."""
    (script,) = blocks("python")
    body = script[script.index("def ") : script.index("if __name__")].strip().splitlines()
    assert len([line for line in body if line.strip() and '"""' not in line]) <= 21


def test_own_claim_joins_the_list(own_claim, tmp_path):
    """An installed package with the entry point of the README."""
    (declared,) = blocks("toml")
    points = tomllib.loads(declared)["project"]["entry-points"]["chaosnum.claims"]
    info = tmp_path / "own-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[chaosnum.claims]\n" + "".join(f"{name} = {target}\n" for name, target in points.items())
    )
    done = run(["-m", "chaosnum", "list"], tmp_path, path=[tmp_path, own_claim[0]])
    assert done.returncode == 0, done.stderr
    assert re.search(r"^averaging", done.stdout, re.M) and "controls: last-iterate" in done.stdout


def test_examples_print_what_is_written():
    """One after the other, sharing their names."""
    parser, names, failed = doctest.DocTestParser(), {}, []
    found = blocks("pycon")
    assert len(found) >= 2
    for i, block in enumerate(found):
        test = parser.get_doctest(block, names, f"README.md, example {i}", "README.md", 0)
        report = io.StringIO()
        runner = doctest.DocTestRunner(verbose=False)
        with contextlib.redirect_stdout(report):
            runner.run(test, clear_globs=False)
        names = test.globs
        failed += [report.getvalue()] if runner.summarize(verbose=False).failed else []
    assert not failed, "\n".join(failed)


def transcripts():
    """(command, what it prints) of every line behind a dollar sign."""
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            yield part.split("\n", 1)


def test_transcripts_are_what_the_commands_print(tmp_path):
    """One after the other in one folder; only the seconds may differ."""
    commands = {"python": [], "chaosnum": ["-m", "chaosnum"]}
    seen = []
    for line, shown in transcripts():
        program, *arguments = shlex.split(line)
        done = run([*commands[program], *arguments], tmp_path)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        printed, shown = (re.sub(r"^\d+\.\d s;", "0.0 s;", text, flags=re.M) for text in (done.stdout, shown))
        assert printed == shown, line
        seen += arguments[:1] if program == "chaosnum" else []
    assert seen == ["fit", "plan"]
    assert (tmp_path / "fitted" / "fit.json").is_file()


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_table_is_not_stale(alpha):
    """The table is the current claims' work: the cheapest rows are measured again."""
    from chaosnum import table
    from chaosnum.claim import find

    verdicts = cn.verify(find("C3", models=["linear"]), budget="quick", seed=1, params={"alpha": [alpha]})
    out = io.StringIO()
    table.print_verdicts([v.as_dict() for v in verdicts], stream=out)
    measured = re.search(r"\d\.\d{3} \[\d\.\d{3}, \d\.\d{3}\]", out.getvalue()).group()
    shown = blocks("text")[0]
    block = shown[shown.index("C3 euler-error · linear") :].split("\nC")[0]
    assert measured in block, f"README.md's table is of older claims (now {measured}): make verify, and paste it again"


def test_the_table_counts_itself():
    """Its last lines say how many verdicts there were; those left out are said to be."""
    shown = blocks("text")[0]
    holds, inconclusive = map(int, re.search(r"(\d+) hold, (\d+) inconclusive, none violated", shown).groups())
    assert f"{holds + inconclusive} verdicts" in TEXT
    rows = [line.split()[-1] for line in shown.splitlines() if line.startswith("  α = ")]
    assert set(rows) <= {"holds", "inconclusive"} and rows.count("inconclusive") <= inconclusive


def test_addresses_are_as_stated():
    from chaosnum import philox

    for count, words in ((2**64, "seeds"), (philox.REPLICAS, "replicas"), (philox.PARTICLES, "particles"),
                         (philox.STEPS, "steps"), (philox.COMPONENTS, "components")):  # fmt: skip
        assert f"2^{count.bit_length() - 1} {words}" in TEXT


def test_noise_types_are_as_stated():
    from chaosnum import noise

    assert re.findall(r'^\| `"(.+?)"` \|', TEXT, re.M) == list(noise.KINDS)


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            headings = re.findall(r"^#+ (.*)$", TEXT, re.M)
            assert target[1:] in [re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings], target
        else:
            assert target.startswith("https://") or (ROOT / target).is_file(), target
    for name in re.findall(r"`((?:chaosnum|figures|docs|proofs_checks)/[\w./-]*)`", TEXT):
        assert (ROOT / name).exists(), name
    for name in ("LICENSE", "CITATION.cff", "requirements.lock"):
        assert f"`{name}`" in TEXT and (ROOT / name).is_file()


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in set(re.findall(r"(?:`|^    )make ([a-z]+)", TEXT, re.M)):
        assert re.search(rf"^{target}:", makefile, re.M), target


def test_options_exist():
    """Every command and option that is named is the command line's."""
    from chaosnum import cli

    parser = cli._parser()
    (commands,) = (a for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict))
    named = re.findall(r"`(chaosnum [a-z][^`]*)`", TEXT)
    assert named
    for line in named:
        command = line.split()[1]
        assert command in commands.choices, line
        words = [word.strip("[]") for word in shlex.split(line.replace("\\|", "|"))]
        for option in (word for word in words if word.startswith("--")):
            assert option in commands.choices[command]._option_string_actions, line
    verify = commands.choices["verify"]._option_string_actions
    row = next(line for line in TEXT.splitlines() if line.startswith("| `chaosnum verify"))
    for option in re.findall(r"--[a-z]+", row):
        assert option in verify, option


def test_prose_has_120_columns():
    """Only what a terminal printed and tables are wider."""
    prose = re.sub(r"^```.*?^```$", "", TEXT, flags=re.M | re.S)
    long = [line for line in prose.splitlines() if len(line) > 120 and not line.startswith("|")]
    assert long == []
