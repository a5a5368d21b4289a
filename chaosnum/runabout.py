"""What run.json says of a run, beside versions and machine: its command, its data, and what its claims state.

Of a file or a folder it has the name, never the place.
"""

import shlex
from pathlib import Path

from chaosnum.arguments import one_line

PLACES = ("--out", "--ledger", "--log")  # options that say where something goes
SILENT = ("--json", "--no-ledger")  # options that no result depends on


def command(argv):
    """The command: what decides the results, without where they went and absolute paths -> str."""
    kept, skip = [], False
    for i, word in enumerate(argv):
        place = not skip and _is_place(word)
        if skip or place or word in SILENT:
            skip = place and "=" not in word
            continue
        option, _, value = word.partition("=") if word.startswith("--") else (argv[i - 1] if i else "", "", word)
        if option == "--data" and Path(value).is_absolute():
            word = word.removesuffix(value) + Path(value).name
        kept.append(word)
    return f"chaosnum {shlex.join(kept)}"


def _is_place(word):
    """Whether a word is an option of PLACES, in full or by its beginning, which the parser takes as well."""
    option = word.split("=")[0]
    return len(option) > 2 and any(name.startswith(option) for name in PLACES)


def data(params, chosen):
    """The data's name and SHA-256 -> "digits" or dict.

    A claim's `ready` has refused what it cannot use; for claims without one the file must hold two classes.

    Raises
    ------
    ValueError
        It does not.
    """
    if params.get("data", "digits") == "digits":
        return "digits"
    from hashlib import sha256

    from chaosnum.data import load

    if any("data" in c.params and c.ready is None for c in chosen):
        load(params["data"])
    path = Path(params["data"])
    return {"name": path.name, "sha256": sha256(path.read_bytes()).hexdigest()}


def claims(chosen):
    """{claim: [its statements]}, each once, for the page of the run."""
    found = {}
    for c in chosen:
        about = {"statement": one_line(c.statement), "source": one_line(c.source), "origin": c.origin,
                 "qualified": one_line(c.qualified)}  # fmt: skip
        known = found.setdefault(c.id, [])
        if about not in known:
            known.append(about)
    return found
