"""Starts a server at a terminal of its own, types a password when it is asked for one, logs in with it, and ends the
server. Arguments: what to type, and the server's command line. Prints what the terminal showed; ends as the server does.
"""

import ftplib
import os
import pty
import re
import select
import signal
import sys
import termios
import time

PATIENCE = 15


def read_until(terminal, shown, pattern):
    """Reads on until what was shown has the pattern or the program has ended; all that was shown."""
    deadline = time.monotonic() + PATIENCE
    while not re.search(pattern, shown):
        ready, _, _ = select.select([terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise TimeoutError(f"no {pattern} in {shown!r}")
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            # Linux says that a terminal's last program is gone by EIO.
            piece = b""
        if not piece:
            break
        shown += piece.decode()
    return shown


def until_hidden(terminal):
    """Waits until the terminal no longer shows what is typed: a program asks first and hides then, faster than people type."""
    deadline = time.monotonic() + PATIENCE
    while termios.tcgetattr(terminal)[3] & termios.ECHO:
        if time.monotonic() > deadline:
            raise TimeoutError("what is typed is shown")
        os.sched_yield()


def log_in(port, password):
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", port, timeout=PATIENCE)
        client.login("alice", password)
        print("logged in with what was typed")


def main():
    typed, command = sys.argv[1], sys.argv[2:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown = ""
    try:
        shown = read_until(terminal, shown, r"Password for alice: ")
        until_hidden(terminal)
        os.write(terminal, typed.encode() + b"\n")
        shown = read_until(terminal, shown, r"gftp serves .*\n")
        port = re.search(r" on 127\.0\.0\.1:(\d+)", shown)
        if port:
            log_in(int(port[1]), typed)
            os.kill(pid, signal.SIGTERM)
        shown = read_until(terminal, shown, r"(?!)")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        print(shown)
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
