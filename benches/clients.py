"""The clients of benches/ (load/) against a server: one measurement. Starts no server."""

import json
import re
import subprocess
import threading

import servers

# The clock that one scenario has. Most take a few seconds; ProFTPD, with a process for each of the sessions that idle,
# takes more than a minute to open them on two busy cores. Beyond this a server is stuck.
LONGEST = 240


class Failed(Exception):
    """A measurement that says nothing, and why."""


def line_of(load):
    """The next line that the clients print."""
    line = load.stdout.readline()
    if not line:
        load.wait()
        raise Failed((load.stderr.read().strip() or f"the clients were ended after {LONGEST} s").splitlines()[-1])
    return line


def measure(server, words):
    """One scenario against one fresh server, which is looked at when the clients are ready and when they are done."""
    memory_before = server.memory()
    words = [*words, "--port", str(server.port)]
    load = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    clock = threading.Timer(LONGEST, load.kill)
    clock.start()
    watch = None
    try:
        line_of(load)
        server.settle()
        memory = server.memory()
        watch = servers.Watch(server) if "list" in words else None
        cpu, own = server.cpu(), servers.seconds_used(load.pid)
        load.stdin.write("go\n")
        load.stdin.flush()
        result = json.loads(line_of(load))
        cpu = server.cpu() - cpu
        # Its clients have ended, but have not been waited for: what they used can still be read.
        own = servers.seconds_used(load.pid) - own
    finally:
        most = {"memory_most": max(watch.most(), memory)} if watch else {}
        clock.cancel()
        load.kill()
        load.communicate()
    return {**result, **most, "cpu": cpu, "clients_cpu": own, "memory_before": memory_before, "memory": memory}


def ftpbench(server, program, clients):
    """pyftpdlib's own benchmark against one fresh server: what it prints, a number for each of its lines, with the number of
    clients left out of their names."""
    if program is None:
        raise Failed("there is no ftpbench here")
    server.settle()
    words = [program, "-u", "anonymous", "-p", "anonymous", "-H", "127.0.0.1", "-P", str(server.port), "-b", "all",
             "-n", str(clients)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired as e:
        raise Failed(f"ftpbench was ended after {LONGEST} s") from e
    lines = re.findall(r"^(.*\S) +([\d.]+) (?:MB/sec|secs) *$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not lines:
        raise Failed((done.stderr.strip() or "ftpbench said nothing").splitlines()[-1])
    return {"count": len(lines), **{name.replace(f"{clients} ", ""): float(value) for name, value in lines}}
