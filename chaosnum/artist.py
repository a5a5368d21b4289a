"""A process of its own that draws the figures of a run, while the run goes on.

Matplotlib takes half a second for a figure and holds the interpreter's lock all the while: in a thread beside the
measures it would take as much from them. So figures are drawn by a second Python. It reads requests from its standard
input, one JSON object a line with a folder and verdicts, writes the files, and answers with their names or with what
went wrong, one JSON object a line.

It is nice: measures are what a run waits for, and figures can catch up while they leave a core idle.

It ends with its standard input, that is, with the run that started it, and on Ctrl-C at once and without a word: its
standard error leads nowhere, so that whoever waits for the run's does not wait for it.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

NICE = 10  # of 19: a tenth of the share of a process that is not


class Artist:
    """A process that draws; started with the first figure.

    Not to be used from two threads at once.
    """

    def __init__(self):
        self._process = None

    def draw(self, folder, verdicts):
        """Write the figures of `verdicts` (list of dict, JSON form) into a folder -> list of file names.

        Raises
        ------
        RuntimeError
            A figure could not be drawn, or the process is gone; the line says why.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "chaosnum.artist"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            )  # fmt: skip
        try:
            print(json.dumps({"folder": str(folder), "verdicts": verdicts}), file=self._process.stdin, flush=True)
            answer = json.loads(self._process.stdout.readline())
        except (OSError, ValueError):
            raise RuntimeError("the process that draws has ended") from None
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["names"]

    def close(self):
        """End the process."""
        if self._process is not None:
            with suppress(OSError):  # it is gone already
                self._process.stdin.close()
            self._process.wait()
            self._process.stdout.close()


def main():
    """Draw what is asked for, to the end of the standard input."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICE)
    parent = os.getppid()
    for line in sys.stdin:
        if os.getppid() != parent:  # the run was killed: nobody waits for what is still in the pipe
            return
        request = json.loads(line)
        try:
            from chaosnum import report

            answer = {"names": report.write_figures(request["folder"], request["verdicts"])}
        except Exception as error:  # to be told where somebody reads it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
