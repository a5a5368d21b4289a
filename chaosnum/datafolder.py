"""Where MNIST and ECG5000 lie: files of the user's own in a folder, never fetched from a network.

The folder is the one that is given, else the one that the environment variable CHAOSNUM_DATA names, else ``data`` in
the current folder; a sub-folder with the set's name is looked into as well. The names of the files are those under
which the sets are published.
"""

import os
from pathlib import Path

VARIABLE, DEFAULT = "CHAOSNUM_DATA", "data"

_SETS = {  # folders, what is looked for in words, where it comes from
    "mnist": (
        ("mnist", "MNIST"),
        "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, "
        "plain or with .gz",
        "https://github.com/cvdfoundation/mnist (LeCun et al. 1998)",
    ),
    "ecg5000": (
        ("ecg5000", "ECG5000"),
        "ecg5000.npz, or ECG5000_TRAIN and ECG5000_TEST ending in .txt, .tsv or .ts",
        "https://www.timeseriesclassification.com/description.php?Dataset=ECG5000 (UCR archive)",
    ),
}
NAMES = tuple(_SETS)


def standard():
    """The folder that is looked into where none is given -> str."""
    return os.environ.get(VARIABLE) or DEFAULT


def find(name, folder=None):
    """The files of a set -> tuple of Path: MNIST's four, or ECG5000's one .npz or its training and test file.

    Raises
    ------
    ValueError
        In one line: what is missing, where it was looked for, how to point elsewhere, where it comes from.
    """
    folder = Path(standard() if folder is None else folder)
    folders, words, origin = _SETS[name]
    partly = []
    for place in (folder, *(folder / sub for sub in folders)):
        found = _files(name, place)
        if all(found):
            return tuple(found)
        partly = partly or [path.name for path in found if path]
    there = f"only {', '.join(partly)} found" if partly else "not found"
    raise ValueError(
        f"{name} needs {words} in {str(folder)!r} or its folder {folders[0]}: {there}; point elsewhere with "
        f"--data-dir DIR or {VARIABLE}; the data come from {origin}"
    )


def held(folder):
    """The sets that a folder holds in full -> list of names."""
    names = []
    for name in NAMES:
        try:
            find(name, folder)
        except ValueError:
            continue
        names.append(name)
    return names


def _files(name, place):
    """The files of a set in one folder -> list of Path, None for one that is missing."""
    if name == "mnist":
        return [
            # In some copies a dot stands where the published name has a dash.
            _first(place, [f"{part}{dash}idx{dims}-ubyte{end}" for dash in "-." for end in ("", ".gz")])
            for part, dims in (("train-images", 3), ("train-labels", 1), ("t10k-images", 3), ("t10k-labels", 1))
        ]
    archive = _first(place, ["ecg5000.npz", "ECG5000.npz"])
    if archive:
        return [archive]
    pairs = [
        [_first(place, [f"{stem}_{part}{end}"]) for part in ("TRAIN", "TEST")]
        for stem in ("ECG5000", "ecg5000")
        for end in (".txt", ".tsv", ".ts", "")  # without an ending: the archive of 2015
    ]
    return max(pairs, key=lambda pair: sum(map(bool, pair)))


def _first(place, names):
    return next((place / name for name in names if os.path.isfile(place / name)), None)
