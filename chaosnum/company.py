"""How many chunks of cells run at once: side by side where that is of use.

Compiled kernels release the interpreter's lock and run side by side on threads. A measure that is a loop of small
NumPy calls holds it most of the time: two of them pass it to and fro, with a system call each time, and take longer
together than one after the other, by a quarter to a factor of two. So every chunk says for how much of its time it
slept, neither running nor waiting for a processor, which is what waiting for the lock looks like. While chunks sleep
more than a seventh of it they run one at a time, and every now and then two are tried. What sleeps when it is alone
waits for something else, another process say, and runs side by side. Chunks in other processes do not share a lock.
"""

from time import perf_counter

QUEUED_PER_WORKER = 3
ASLEEP = 0.15  # share of a chunk's time
TELLING = 0.02  # seconds of a chunk below which its share says little
SOUND_ASLEEP = 0.75  # of one that is alone: more than what judging, on the main thread, can cost it
ALONE_SECONDS, ALONE_CHUNKS = 2.0, 16  # until two are tried again, whichever is longer
TOGETHER_SECONDS = 20.0


class Company:
    """How many chunks may be under way at once."""

    def __init__(self, workers):
        self.workers = workers
        self.crowded = False  # more than one chunk was under way when the last one was submitted
        self.alone_until = None  # None: together
        self.together_until = 0.0  # of measures that sleep alone too: they wait for something else

    def places(self):
        """How many."""
        if self.alone_until is None:
            return QUEUED_PER_WORKER * self.workers
        return 1 if perf_counter() < self.alone_until else self.workers

    def submitted(self, beside):
        """Take note of a chunk that goes to the executor, `beside` others."""
        self.crowded = beside > 0

    def learn(self, seconds, asleep):
        """Take note of what share of its `seconds` a chunk was `asleep`."""
        now = perf_counter()
        if seconds < TELLING:
            return
        if not self.crowded:
            if asleep > SOUND_ASLEEP:
                self.alone_until, self.together_until = None, now + TOGETHER_SECONDS
        elif asleep <= ASLEEP:
            self.alone_until = None
        elif now > self.together_until:
            self.alone_until = now + max(ALONE_SECONDS, ALONE_CHUNKS * seconds)
