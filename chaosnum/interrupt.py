"""Ctrl-C within a second, whatever the threads are doing.

Python runs signal handlers in the main thread, between two of its instructions: while that thread compiles or sits in
a kernel, or waits for a worker that does, ``KeyboardInterrupt`` is late. But the C-level handler writes a byte to
a socket at once (:func:`signal.set_wakeup_fd`). A thread of ours waits for that byte, puts the files in order and
ends the process without waiting for anybody.
"""

import os
import signal
import socket
import sys
import threading
from contextlib import contextmanager

STATUS = 130  # 128 + SIGINT, as shells have it


@contextmanager
def stop_at_once(last_words):
    """Within this block Ctrl-C ends the process with status 130.

    Parameters
    ----------
    last_words : callable () -> str
        Called from another thread: leaves the files readable and returns the line for stderr. It must not wait.
    """
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) in (signal.SIG_IGN, None):
        yield
        return
    ours, theirs = socket.socketpair()
    ours.setblocking(False)

    def watch():
        received = theirs.recv(1)
        while received and signal.SIGINT not in received:  # other signals write their numbers too
            received = theirs.recv(1)
        if not received:
            return
        try:
            show_cursor = "\x1b[?25h\r\x1b[K" if sys.stderr.isatty() else ""
            os.write(2, f"{show_cursor}{last_words()}\n".encode(errors="replace"))
        finally:
            os._exit(STATUS)

    watcher = threading.Thread(target=watch, name="chaosnum-interrupt", daemon=True)
    before = signal.signal(signal.SIGINT, lambda *_: None)
    earlier = signal.set_wakeup_fd(ours.fileno(), warn_on_full_buffer=False)
    watcher.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        signal.signal(signal.SIGINT, before)
        ours.close()  # the watcher reads an end of file and goes
        watcher.join(timeout=1)
        theirs.close()
