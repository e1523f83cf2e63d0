"""The servers of benches/peers: how each is obtained and started, what it has used, and how it is ended.

Refuses to know what is measured. Nothing is installed into the system but what Python and Rust need to build: the
peers are unpacked below target/peers, because Debian's FTP servers throw each other out and start themselves.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

NAMES = ["gftp", "vsftpd", "pyftpdlib"]
# Pinned, so that two runs in different years compare with the same peer.
PYFTPDLIB = "2.2.0"
# More sessions than any scenario opens, so that no server's limit is measured.
MOST_SESSIONS = 10_000
# Until a server greets; generous, because a loaded machine is slow to start a Python.
START_WITHIN = 20
# Until killed processes are gone: vsftpd has two for each session.
END_WITHIN = 20
# Between two looks at a server that starts or ends: short beside either, long beside what a look costs.
PAUSE = 0.05

# Security that vsftpd's users may turn off is off: a namespace for each session (isolate) and the filter of system
# calls (seccomp_sandbox) cost it logins. anon_root must not be writable for the user whom it becomes, so uploads go to
# a folder below.
VSFTPD = """
listen=YES
listen_address=127.0.0.1
listen_port={port}
background=NO
anonymous_enable=YES
ftp_username={user}
anon_root={root}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
secure_chroot_dir={empty}
max_clients=0
max_per_ip=0
connect_from_port_20=NO
xferlog_enable=NO
use_sendfile=YES
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
"""

# The plain asynchronous server: one process, one thread, sendfile. Without a log of its own choosing it writes one.
PYFTPDLIB_SERVER = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.CRITICAL)
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[2], perm="elradfmwMT")
FTPHandler.use_sendfile = True
FTPServer.max_cons = int(sys.argv[3])
FTPServer.max_cons_per_ip = 0
FTPServer(("127.0.0.1", int(sys.argv[1])), FTPHandler, backlog=4096).serve_forever()
"""


class Unavailable(Exception):
    """Something that cannot be had here, and why."""


def run(*command, **options):
    """The output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"{' '.join(map(str, command[:4]))} …: {reason[-1]}")
    return done.stdout


def as_root(*command):
    """The command as root: directly, or by a sudo that asks nothing."""
    if os.geteuid() == 0:
        return list(command)
    return ["sudo", "-n", *command] if shutil.which("sudo") else ["false"]


def install(*packages):
    """Debian packages into the system: only what a bare machine lacks for building."""
    if not shutil.which("apt-get"):
        raise Unavailable(f"{' '.join(packages)} is missing and there is no apt-get to install it")
    run(*as_root("apt-get", "-qq", "update"))
    run(*as_root("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends",
                 "install", *packages))


def obtain_vsftpd(folder):
    """Debian's vsftpd: the installed one, or its package with the libraries that are missing, unpacked in `folder`."""
    installed = shutil.which("vsftpd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
    if installed:
        return {"program": installed, "libraries": "", "version": run("dpkg-query", "-W", "-f${Version}", "vsftpd")}
    program, packages = folder / "usr/sbin/vsftpd", folder / "packages"
    if not program.exists():
        if not shutil.which("apt-get"):
            raise Unavailable("it is not installed, and there is no apt-get to get it with")
        (packages / "partial").mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-y", "--download-only", "--no-install-recommends", "-oDebug::NoLocking=1",
                    f"-oDir::Cache::archives={packages}", "install", "vsftpd"]
        try:
            run(*download)
        except Unavailable:
            # A bare machine knows no packages yet.
            run(*as_root("apt-get", "-qq", "update"))
            run(*download)
        for package in packages.glob("*.deb"):
            run("dpkg-deb", "-x", package, folder)
    libraries = ":".join(sorted({str(library.parent) for library in folder.rglob("lib*.so*")}))
    version = next(packages.glob("vsftpd_*.deb")).name.split("_")[1]
    return {"program": str(program), "libraries": libraries, "version": version}


def obtain_pyftpdlib(folder):
    """pyftpdlib from PyPI in a virtual environment in `folder`."""
    python = folder / "bin/python"
    asked = "import pyftpdlib; print(pyftpdlib.__ver__)"
    try:
        version = run(python, "-c", asked).strip()
    except (Unavailable, OSError):
        version = None
    if version != PYFTPDLIB:
        try:
            run(sys.executable, "-m", "venv", folder)
        except Unavailable:
            # Debian's Python comes without what makes one.
            install("python3-venv")
            run(sys.executable, "-m", "venv", folder)
        run(python, "-m", "pip", "-q", "install", f"pyftpdlib=={PYFTPDLIB}")
        run(python, "-c", asked)
    return {"program": str(python), "version": PYFTPDLIB}


def obtain(name, folder):
    """Where the peer is, installed below `folder` if it is missing."""
    return {"vsftpd": obtain_vsftpd, "pyftpdlib": obtain_pyftpdlib}[name](folder / name)


def command(name, had, root, scratch, port):
    """How to start a server: the words and what its environment has besides ours."""
    if name == "gftp":
        most = str(MOST_SESSIONS)
        return [had["program"], "serve", "--root", root, "--listen", "127.0.0.1", "--port", str(port),
                "--anonymous", "write", "--max-sessions", most, "--max-per-ip", most, "--log-level", "error"], {}
    if name == "pyftpdlib":
        # -W ignore: it warns of anonymous users who may write.
        return [had["program"], "-W", "ignore", "-c", PYFTPDLIB_SERVER, str(port), root, str(MOST_SESSIONS)], {}
    empty, written = scratch / "empty", scratch / "vsftpd.conf"
    empty.mkdir(exist_ok=True)
    # Any user will do that every Debian has, is not root, and has a home that is there: vsftpd goes there first.
    written.write_text(VSFTPD.format(port=port, root=root, empty=empty, user="daemon"))
    return [had["program"], str(written)], {"LD_LIBRARY_PATH": had["libraries"]} if had["libraries"] else {}


def unified_cgroup():
    """Where cgroups of version 2 are made, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    return None


def free_port():
    """A port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def seconds_used(pid):
    """CPU seconds of a process and of its children that it has waited for."""
    # After the name in parentheses: the state first, utime to cstime from the twelfth on.
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Running:
    """A fresh server process; at the end of the `with` it and all its children are gone."""

    def __init__(self, name, had, root, scratch):
        self.port = free_port()
        words, more = command(name, had, str(root), scratch, self.port)
        self.output = scratch / f"{name}.log"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(words, env={**os.environ, **more}, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=True)
        self.cgroup = None
        try:
            self.cgroup = self.own_cgroup()
            self.await_greeting()
        except BaseException:
            self.end()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def own_cgroup(self):
        """A cgroup of its own, which counts microseconds and forgets no child; None where there can be none."""
        above = unified_cgroup()
        if above is None:
            return None
        cgroup = above / f"gftp-peers-{self.process.pid}"
        try:
            cgroup.mkdir()
            (cgroup / "cgroup.procs").write_text(str(self.process.pid))
        except OSError:
            shutil.rmtree(cgroup, ignore_errors=True)
            return None
        return cgroup

    def await_greeting(self):
        """Until it greets: then it is ready."""
        end = time.monotonic() + START_WITHIN
        while time.monotonic() < end and self.process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 5) as probe:
                    if probe.recv(100).startswith(b"220"):
                        # Leave as a client does, and see it done: what follows starts from an idle server.
                        probe.sendall(b"QUIT\r\n")
                        while probe.recv(100):
                            pass
                        return
            except OSError:
                pass
            time.sleep(PAUSE)
        said = self.output.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unavailable(f"it does not start: {said[-1]}")

    def members(self):
        """All processes of the server. vsftpd's leave the process group, so that alone would not find them."""
        if self.cgroup:
            return [int(pid) for pid in (self.cgroup / "cgroup.procs").read_text().split()]
        children = {}
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(stat.parent.name))
        members = [self.process.pid]
        for pid in members:
            members += children.get(pid, [])
        return members

    def cpu(self):
        """CPU seconds that the whole server has used so far, its dead children included."""
        if self.cgroup:
            lines = (self.cgroup / "cpu.stat").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("usage_usec")) / 1e6
        used = 0
        for pid in self.members():
            try:
                used += seconds_used(pid)
            except OSError:
                pass
        return used

    def memory(self):
        """KiB of the whole server, each page that processes share divided among them (PSS)."""
        total = 0
        for pid in self.members():
            try:
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total

    def end(self):
        """SIGKILL to all of it: nothing it could still do is wanted."""
        end = time.monotonic() + END_WITHIN
        members = self.members()
        while members and time.monotonic() < end:
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait(END_WITHIN)
            # Where there is a cgroup, it knows who was born meanwhile. Where not, they were all found before.
            members = self.members() if self.cgroup else []
        while self.cgroup and time.monotonic() < end:
            try:
                return self.cgroup.rmdir()
            except OSError:
                time.sleep(PAUSE)
