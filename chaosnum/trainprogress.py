"""What ``chaosnum train`` says on stderr while it runs.

On a terminal a bar over the runs with the step, loss, accuracy, speed and, where the number of steps is known, the time
that is left; in a pipe or a log a plain line for each finished run, and one every few seconds within long ones. How
many steps a run with a target will take is not known beforehand, and no guess is shown.
"""

import sys
import time

from chaosnum.words import number

_PLAIN_EVERY = 10.0  # seconds between lines of progress that go to a log


class Progress:
    """Progress of a grid of runs.

    Parameters
    ----------
    total : int
        Runs of the grid.
    steps : int or None
        Steps that each takes, if that is known.
    """

    def __init__(self, total, steps=None, *, stream=None):
        self.total, self.steps, self.stream = total, steps, stream or sys.stderr
        self.last = time.monotonic()
        self._bar = self._task = None
        self._words = self._began = None

    def __enter__(self):
        if self.stream.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar
            from rich.table import Column

            words = TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=False))  # not cut off
            columns = (BarColumn(bar_width=16), TimeElapsedColumn(), words)
            self._bar = Bar(*columns, console=Console(file=self.stream), transient=True)
            self._bar.start()
            self._task = self._bar.add_task("starting", total=self.total)
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def begin(self, count, words, step):
        """Run `count` of the grid, counted from 1, begins or goes on at `step`; `words` tell it from the others."""
        self._words, self._number, self._began = words, count, (time.monotonic(), step)
        if self._bar:
            self._bar.update(self._task, completed=count - 1, description=f"run {count} of {self.total}: {words}")

    def update(self, evaluation, step):
        """The run is at `step`; `evaluation` is its latest, of a step before."""
        now = time.monotonic()
        if not self._bar and now - self.last < _PLAIN_EVERY:
            return
        self.last = now
        begun, first = self._began
        speed = (step - first) / max(now - begun, 1e-9)
        words = f"step {evaluation.step}, loss {evaluation.loss:.3g}, train {100 * evaluation.accuracy:.1f} %"
        words += f", {number(speed)} steps/s" if step > first else ""
        if self.steps and speed > 0:
            words += f", {_time((self.steps - step + (self.total - self._number) * self.steps) / speed)} left"
        line = f"run {self._number} of {self.total}: {self._words}: {words}"
        if self._bar:
            self._bar.update(self._task, description=line)
        else:
            print(line, file=self.stream, flush=True)

    def finished(self, result):
        """The run has come to its end: its result."""
        if result["before"] is None:
            return  # a line of its own says so
        train, share = 100 * result["before"]["train"]["accuracy"], 100 * result["pruned"]["share"]
        line = f"run {self._number} of {self.total}: {self._words}: {result['steps']} steps, "
        line += f"train {train:.1f} %, pruned {share:.1f} %"
        if self._bar:
            self._bar.update(self._task, completed=self._number, description=line)
        else:
            self.last = time.monotonic()
            print(line, file=self.stream, flush=True)

    def drawing(self):
        """All runs are done, and the figures take seconds."""
        if self._bar:
            self._bar.update(self._task, completed=self.total, description="drawing the figures")

    def say(self, line):
        """A line that stays."""
        if self._bar:
            self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            print(line, file=self.stream, flush=True)


def _time(seconds):
    seconds = round(seconds)
    return f"{seconds} s" if seconds < 100 else f"{seconds // 60} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
