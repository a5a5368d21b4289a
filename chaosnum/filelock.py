"""An exclusive lock on a folder, by a file in it, for as long as a process lives.

The lock is the system's (flock), so it is free again when its process ends, in whatever way: no stale file keeps
anybody out. The file itself may be removed by its holder; who has opened it just before then holds the lock of a file
that is no longer there, and must look again.

What goes wrong: on some network file systems locks of two machines do not see each other.
"""

import os


def hold(path):
    """An exclusive lock -> the open file that holds it; the system frees it when the process ends.

    Raises
    ------
    ValueError
        Another process holds it.
    """
    while True:
        file = open(path, "a")  # noqa: SIM115 held as long as the folder is
        try:
            _lock(file)
        except OSError:
            file.close()
            raise ValueError(f"{str(path.parent)!r} is in use by another process of chaosnum") from None
        try:
            if os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                return file
        except FileNotFoundError:  # the process before removed it between our opening and locking it
            pass
        file.close()


def _lock(file):
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
