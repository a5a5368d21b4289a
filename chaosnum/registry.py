"""The claims of the installed packages, and those among them that somebody asks for by id, name or model.

Finding them runs the packages' own modules, so it is done when asked, and not when this file is imported.
"""

import re

ENTRY_POINTS = "chaosnum.claims"


def claims():
    """Every claim of the installed packages, by id: entry points of the group ``chaosnum.claims``.

    Each entry point is a Claim or an iterable of Claims.
    """
    from chaosnum.claim import Claim

    return sorted(installed(ENTRY_POINTS, Claim, "claims"), key=_natural)


def installed(group, kind, words, among=None):
    """What the entry points of a group hold, each an object of a kind or an iterable of them -> list, by name.

    With `among`, names of packages, only the entry points of modules in these are loaded.

    Raises
    ------
    ValueError
        One that holds something else than `words` promises.
    """
    from importlib.metadata import entry_points

    found = []
    for point in sorted(entry_points(group=group), key=lambda p: (p.name, p.value)):
        if among is not None and point.module.partition(".")[0] not in among:
            continue
        loaded = point.load()
        found.extend([loaded] if isinstance(loaded, kind) else loaded)
    for held in found:
        if not isinstance(held, kind):
            raise ValueError(f"entry points of {group} must hold {words}, got {held!r}")
    return found


def _natural(claim):
    """C2 before C10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", claim.id)]


def find(ids=(), *, models=(), among=None):
    """The claims whose id or name is in `ids` and whose model is in `models`; empty means all.

    The id before a dot names the whole theory: S2 is S2.1, S2.2 and so on.

    Raises
    ------
    ValueError
        An id or a model that no claim has; the line names those known.
    """
    known = claims() if among is None else list(among)
    chosen = _select(known, "claim", ids, lambda c: (c.id, c.id.split(".")[0], c.name))
    return _select(chosen, "model", models, lambda c: (c.model,))


def _select(known, what, wanted, keys):
    wanted = [wanted] if isinstance(wanted, str) else list(wanted)
    if not wanted:
        return known
    names = {key.lower() for claim in known for key in keys(claim) if key}
    for name in wanted:
        if str(name).lower() not in names:
            family = str(name).split(".")[0].lower() + "."
            own = [keys(claim)[0] for claim in known if keys(claim)[0].lower().startswith(family)]
            own = own or [keys(claim)[0].split(".")[0] for claim in known if keys(claim)[0]]
            listed = ", ".join(dict.fromkeys(own))
            raise ValueError(f"{what} must be one of {listed or '(none installed)'}, got {name!r}")
    lower = {str(name).lower() for name in wanted}
    return [claim for claim in known if any(key.lower() in lower for key in keys(claim))]
