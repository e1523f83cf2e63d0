"""Runs a program at a terminal of its own and types two lines, each when a password is asked for. Arguments: the two
lines, and the program's command line. Prints what the terminal showed; ends as the program does.
"""

import os
import pty
import select
import signal
import sys
import termios
import time

PATIENCE = 15


def main():
    lines, command = sys.argv[1:3], sys.argv[3:]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    shown, typed = "", 0
    deadline = time.monotonic() + PATIENCE
    try:
        while True:
            if time.monotonic() > deadline:
                raise TimeoutError(f"still {shown!r}")
            # A program asks first and hides what is typed then, faster than people type.
            hidden = not termios.tcgetattr(terminal)[3] & termios.ECHO
            if hidden and typed < shown.count("assword for ") and typed < len(lines):
                os.write(terminal, lines[typed].encode() + b"\n")
                typed += 1
            ready, _, _ = select.select([terminal], [], [], 0.05)
            if ready:
                try:
                    piece = os.read(terminal, 4096)
                except OSError:
                    # Linux says that a terminal's last program is gone by EIO.
                    break
                if not piece:
                    break
                shown += piece.decode()
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        print(shown)
    _, status = os.waitpid(pid, 0)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
