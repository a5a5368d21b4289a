"""The page of a run: one HTML file with claims, verdicts, figures inlined and how to reproduce them.

Written from the files of a run folder alone, so it can be made long after the run and on another machine. The
page loads nothing from elsewhere: style and pictures are inside.
"""

import base64
from html import escape
from pathlib import Path
from string import Template

from chaosnum import runfolder
from chaosnum.words import (
    bound_words,
    claimed_words,
    fold,
    measured_words,
    number,
    outcome,
    outside,
    param_words,
    provenance,
    symbol,
    tally,
)

_PAGE = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
:root { color-scheme: light dark; --ink: #222; --paper: #fff; --soft: #666; --line: #ddd; }
@media (prefers-color-scheme: dark) { :root { --ink: #ddd; --paper: #181818; --soft: #999; --line: #444; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.3rem; margin-top: 2.5rem;
     border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.05rem; margin-top: 2rem; }
.soft, summary, figcaption { color: var(--soft); font-size: .9rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .5rem 0; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n { font-variant-numeric: tabular-nums; white-space: nowrap; }
.holds, .caught { color: #00805c; font-weight: 600; } .violated, .missed { color: #c04a00; font-weight: 600; }
.inconclusive { color: #8a6d00; font-weight: 600; }
@media (prefers-color-scheme: dark) { .holds, .caught { color: #35c796; } .violated, .missed { color: #ff9352; }
  .inconclusive { color: #e0b83d; } figure img { background: #fff; } }
img { max-width: 100%; height: auto; } figure { margin: 1rem 0; }
pre { overflow-x: auto; background: #8881; padding: .8rem; }
</style>
</head>
<body>
<h1>$title</h1>
<p>$summary</p>
$warning
$contents
$sections
<h2 id="reproduce">How to reproduce</h2>
<pre>$command</pre>
<p>chaosnum $version, seed $seed. Random numbers are addressed by seed, replica, particle, step and component:
the same command gives the same numbers for any number of threads. Every number behind the figures is in
<code>points.csv</code> and <code>samples.csv</code> of the run folder.</p>
<table>$facts</table>
</body>
</html>
""")


def write(path):
    """Write ``report.html`` into the folder of a run, from its files alone -> Path.

    Figures that are missing, because the run was stopped, are drawn.
    """
    run, verdicts = runfolder.load(path)
    from chaosnum import report

    pictures = {}
    for stem, group in report.groups(verdicts).items():
        picture = Path(path) / f"{stem}.png"
        if not picture.exists():
            report.save(report.draw(group), Path(path) / stem, suffixes=(".png",))
        pictures[stem] = picture.read_bytes(), group
    target = Path(path) / "report.html"
    partial = target.with_name(".report.html.partial")
    partial.write_text(render(run, verdicts, pictures), encoding="utf-8")
    partial.replace(target)
    return target


def render(run, verdicts, pictures):
    """The page as one string.

    Parameters
    ----------
    run : dict, the content of run.json
    verdicts : list of dict, the verdicts in JSON form
    pictures : dict, from a figure's name to (png as bytes, its verdicts)

    Returns
    -------
    str, a complete HTML document
    """
    title = f"chaosnum: {run['budget']} run of {run['started'][:10]}"
    by_claim = {}
    for stem, (png, group) in pictures.items():
        by_claim.setdefault(group[0]["claim"], []).append((stem, png, group))
    sections, contents = [], []
    for i, (claim, figures) in enumerate(by_claim.items()):
        of_claim = [v for v in verdicts if v["claim"] == claim]
        about = run.get("claims", {}).get(claim, [])
        contents.append(f'<li><a href="#c{i}">{escape(_heading(of_claim))}</a>: {escape(tally(of_claim))}</li>')
        sections.append(f'<h2 id="c{i}">{escape(_heading(of_claim))}</h2>')
        for a in about:
            source = provenance(a.get("origin"), a["source"])
            sections.append(f'<p>{escape(a["statement"])} <span class="soft">({escape(source)})</span></p>')
            if a.get("qualified"):
                sections.append(f'<p class="soft">To be read with care: {escape(a["qualified"])}</p>')
        sections.extend(_figure(stem, png, group) for stem, png, group in figures)
    early = '<p class="violated">The run was stopped early; this is what had finished.</p>'
    facts = {**run.get("versions", {}), **run.get("machine", {}), "seconds": number(run.get("seconds"))}
    return _PAGE.substitute(
        title=escape(title),
        summary=escape(tally(verdicts)),
        warning="" if run.get("finished") else early,
        contents=f"<ul>{''.join(contents)}</ul>",
        sections="\n".join(sections),
        command=escape(run["command"]),
        version=escape(run["version"]),
        seed=escape(str(run["seed"])),
        facts="".join(f"<tr><td>{escape(k)}</td><td>{escape(str(v))}</td></tr>" for k, v in facts.items()),
    )


def _heading(verdicts):
    claim, name = verdicts[0]["claim"], verdicts[0]["name"]
    return claim if claim == name else f"{claim}: {name}"


def _figure(stem, png, group):
    shown, shared = fold([v["params"] for v in group])
    model = f"{group[0]['model']}: " if group[0]["model"] else ""
    head = f"<h3>{escape(model + group[0]['statistic'])}</h3>"
    notes = dict.fromkeys([param_words(shared), *(outside(v["params"]) for v in group)])
    fixed = f'<p class="soft">{escape("; ".join(filter(None, notes)))}</p>'
    picture = f'<img alt="{escape(stem)}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    rows = "".join(_row(words, verdict) for words, verdict in zip(shown, group))
    return f"""{head}{fixed}<figure>{picture}</figure>
<div class="wide"><table><tr><th></th><th>claimed</th><th>measured, 95 % interval</th><th>explicit bound</th>
<th>sharp</th><th>verdict</th><th>reason</th></tr>{rows}</table></div>
<details><summary>the points</summary><div class="wide">{_points(shown, group)}</div></details>"""


def _row(words, verdict):
    control = verdict["control"]
    first = ", ".join(filter(None, [words, f"control {control}" if control else ""]))
    sharp = {True: "yes", False: "no", None: ""}[verdict["sharp"]]
    cells = [first, claimed_words(verdict), measured_words(verdict), bound_words(verdict), sharp]
    shown = "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells)
    state = outcome(verdict)
    return f'<tr>{shown}<td class="{state}">{state}</td><td class="soft">{escape(verdict["reason"])}</td></tr>'


def _points(shown, group):
    head = [symbol(group[0]["scale"]), "estimate", "95 % from", "to", "bound", "predicted", "replicas"]
    lines = []
    for words, verdict in zip(shown, group):
        control = f"control {verdict['control']}" if verdict["control"] else ""
        for p in verdict["points"]:
            values = [p["scale"], p["estimate"], p["lo"], p["hi"], p["bound"], p.get("predicted"), p["replicas"]]
            cells = "".join(f'<td class="n">{number(value, 4)}</td>' for value in values)
            lines.append(f"<tr><td>{escape(', '.join(filter(None, [words, control])))}</td>{cells}</tr>")
    return f"<table><tr><th></th>{''.join(f'<th>{h}</th>' for h in head)}</tr>{''.join(lines)}</table>"
