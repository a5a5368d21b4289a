"""Which cells of a run are in a ledger already, and putting those there that are not.

The link between the cases of a run (:mod:`chaosnum.sweep`) and the rows of a ledger (:mod:`chaosnum.ledger`). The key
of a cell is the hash of the master seed, of its address, and of what computes it: our code, the measure with the data
that it carries, its arguments, the files they name, and the statistics that are taken (:mod:`chaosnum.fingerprint`). A
case whose measure has no fingerprint is computed every time.
"""

import json
from threading import Lock

import chaosnum
from chaosnum.fingerprint import NoFingerprint, code_version, file_contents, fingerprint, machine
from chaosnum.ledger import Cell, key_of


class Kept:
    """The cells of a run, as far as a ledger keeps them.

    Parameters
    ----------
    ledger : chaosnum.ledger.Ledger
    cases : list of chaosnum.sweep.Case
    master : int, the seed of the run
    """

    def __init__(self, ledger, cases, master):
        self.ledger, self.cases, self.master = ledger, cases, master
        self.not_kept = {}  # why, by case
        self.made_by = [self._made_by(index) for index in range(len(cases))]  # None: not to be kept
        self.there, self.closed, self.lock = set(), False, Lock()

    def known(self, index, cells):
        """What the ledger has of a case -> dict from (scale, replica), both as indices, to a dict of statistics.

        Parameters
        ----------
        index : int
        cells : list of (scale, replicas), as indices; those to look for
        """
        names = self._statistics(index)
        if self.made_by[index] is None:
            return {}
        keys = {self._key(index, j, replica): (j, replica) for j, replicas in cells for replica in replicas}
        with self.lock:  # another thread may be keeping cells
            found = self.ledger.find(keys)
        return {keys[key]: dict(zip(names, values)) for key, values in found.items()}

    def keep(self, finished):
        """Keep cells, all in one transaction; those that are there already stay as they are.

        From any thread. After :meth:`close` it does nothing.

        Parameters
        ----------
        finished : list of (index of case, index of scale, replica, dict of statistics)
        """
        with self.lock:
            finished = [
                entry for entry in finished if self.made_by[entry[0]] is not None and entry[:3] not in self.there
            ]
            if finished and not self.closed:
                self.ledger.add([self._cell(*entry) for entry in finished])
                self.there.update(entry[:3] for entry in finished)

    def close(self):
        """Keep no more: the ledger is about to be closed."""
        with self.lock:
            self.closed = True

    def _cell(self, index, j, replica, values):
        case, names = self.cases[index], self._statistics(index)
        scale = case.scales[j]
        number = self.ledger.case(
            claim=case.claim.id, name=case.claim.name, model=case.claim.model,
            control=case.control and case.control.name, params=json.dumps(case.params, sort_keys=True, default=str),
            statistics=json.dumps(names), seed=self.master, code=self.made_by[index], version=chaosnum.__version__,
        )  # fmt: skip
        seed = case.seed(self.master, scale, replica)
        ordered = tuple(values[name] for name in names)
        return Cell(self._key(index, j, replica), number, float(scale), replica, seed, ordered)

    def _key(self, index, j, replica):
        case = self.cases[index]
        address, names = case.address(case.scales[j], replica), self._statistics(index)
        return key_of(self.master, address, json.dumps(names), self.made_by[index])

    def _statistics(self, index):
        case = self.cases[index]
        return tuple(case.claim.predictions(case.control))

    def _made_by(self, index):
        """The code as a whole, and what this case is computed by and from."""
        case = self.cases[index]
        try:
            own = fingerprint((machine(), case.measure, case.arguments, file_contents(case.arguments)))
        except (NoFingerprint, OSError) as error:  # a file that cannot be read
            self.not_kept[index] = str(error)
            return None
        return f"{code_version()}:{own}"
