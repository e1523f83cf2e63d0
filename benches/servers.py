"""The servers of benches/peers: how each is started, what it has used, and how it is ended.

Refuses to know what is measured, and where the servers come from (obtaining.py).
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading
import time

import slowness

from obtaining import Unavailable

NAMES = ["gftp", "vsftpd", "proftpd", "pure-ftpd", "pyftpdlib", "libunftp"]
# More sessions than any scenario opens, so that no server's limit is measured.
MOST_SESSIONS = 10_000
# Until a server greets; generous, because a loaded machine is slow to start a Python.
START_WITHIN = 20
# Until killed processes are gone: vsftpd has two for each session.
END_WITHIN = 20
# Between two looks at a server that starts or ends: short beside either, long beside what a look costs.
PAUSE = 0.05
# A server that has used less CPU than this in that time does nothing; in seconds, and more than one that only looks at its clock.
QUIET, NOTHING = 0.1, 0.002
# Between two looks at a server's memory while it works: short beside the hundreds of milliseconds that the work takes,
# long beside the one that a look takes.
LOOK_EVERY = 0.01
# Files of a folder that are listed: more than any folder has.
MOST_LISTED = 1_000_000

# Whom servers become for anonymous users, where they want a name: one that every Debian has, and that is not root.
NOBODY, NOBODY_ID = "daemon", 1

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

VSFTPD_TLS = """
ssl_enable=YES
allow_anon_ssl=YES
force_local_data_ssl=NO
force_local_logins_ssl=NO
require_ssl_reuse=NO
ssl_ciphers=HIGH
rsa_cert_file={tls}/cert.pem
rsa_private_key_file={tls}/key.pem
"""

# No delay against who probes for accounts, no name of the client looked up, no lists of who is logged in.
PROFTPD = """
ModulePath {modules}
{load_tls}
ServerName bench
ServerType standalone
DefaultAddress 127.0.0.1
Port {port}
SocketBindTight on
UseIPv6 off
User {user}
Group {user}
MaxInstances none
TCPBacklog 255
PidFile {scratch}/pid
ScoreboardFile {scratch}/scoreboard
DelayEngine off
UseReverseDNS off
ControlsEngine off
UseSendfile on
WtmpLog off
SystemLog none
TransferLog none
AuthOrder mod_auth_file.c
AuthUserFile {scratch}/passwd
AuthGroupFile {scratch}/group
Umask 022
<Anonymous {root}>
User {user}
Group {user}
UserAlias anonymous {user}
RequireValidShell off
AllowOverwrite on
{hidden}
</Anonymous>
"""
PROFTPD_TLS = """
TLSEngine on
TLSRequired off
TLSProtocol TLSv1.2 TLSv1.3
TLSECCertificateFile {tls}/cert.pem
TLSECCertificateKeyFile {tls}/key.pem
TLSOptions NoSessionReuseRequired
TLSRenegotiate none
TLSVerifyClient off
"""

# The plain asynchronous server: one process, one thread, sendfile where there is no TLS. Without a log of its own choosing it writes one.
PYFTPDLIB_SERVER = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
if len(sys.argv) > 4:
    from pyftpdlib.handlers import TLS_FTPHandler as FTPHandler
    FTPHandler.certfile = sys.argv[4]
from pyftpdlib.servers import FTPServer
logging.basicConfig(level=logging.CRITICAL)
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[2], perm="elradfmwMT")
FTPHandler.use_sendfile = True
FTPServer.max_cons = int(sys.argv[3])
FTPServer.max_cons_per_ip = 0
FTPServer(("127.0.0.1", int(sys.argv[1])), FTPHandler, backlog=4096).serve_forever()
"""
# What goes before that where it is to store beside the name and rename, before it says so.
PYFTPDLIB_WHOLE = """
import itertools, os
from pyftpdlib.filesystems import AbstractedFS
from pyftpdlib.handlers import DTPHandler, FTPHandler
names, numbers = {}, itertools.count()
class Beside(AbstractedFS):
    def open(self, name, mode):
        if "w" not in mode:
            return super().open(name, mode)
        file = open(f"{name}.{next(numbers)}", "xb")
        names[file.name] = name
        return file
class Whole(DTPHandler):
    def close(self):
        if self.file_obj is not None and self.file_obj.name in names:
            self.file_obj.close()
            beside, name = self.file_obj.name, names.pop(self.file_obj.name)
            os.replace(beside, name) if self.transfer_finished else os.unlink(beside)
        super().close()
FTPHandler.abstracted_fs, FTPHandler.dtp_handler = Beside, Whole
"""


def start_gftp(program, root, scratch, port, tls, whole=False):
    """gftp: without a log, without limits that a scenario could meet. It always stores beside and renames."""
    most = str(MOST_SESSIONS)
    secure = ["--tls", "optional", "--tls-cert", f"{tls}/cert.pem", "--tls-key", f"{tls}/key.pem"] if tls else []
    return [program, "serve", "--root", root, "--listen", "127.0.0.1", "--port", str(port), "--anonymous", "write",
            "--max-sessions", most, "--max-per-ip", most, "--log-level", "error", *secure]


def start_vsftpd(program, root, scratch, port, tls, whole=False):
    """vsftpd, which wants an empty folder, and stores in one way only."""
    empty, written = scratch / "empty", scratch / "vsftpd.conf"
    empty.mkdir(exist_ok=True)
    # The user must have a home that is there: vsftpd goes there first.
    text = VSFTPD.format(port=port, root=root, empty=empty, user=NOBODY)
    written.write_text(text + (VSFTPD_TLS.format(tls=tls) if tls else ""))
    return [program, str(written)]


def start_proftpd(program, root, scratch, port, tls, whole=False):
    """ProFTPD, with users of its own."""
    for name, line in [("passwd", f"{NOBODY}:*:{NOBODY_ID}:{NOBODY_ID}::{root}:/bin/sh\n"),
                       ("group", f"{NOBODY}:x:{NOBODY_ID}:\n")]:
        (scratch / name).write_text(line)
        # It takes none that others may read.
        (scratch / name).chmod(0o600)
    modules = pathlib.Path(program).parent.parent / "lib/proftpd"
    written = scratch / "proftpd.conf"
    text = PROFTPD.format(modules=modules, load_tls="LoadModule mod_tls.c" if tls else "", port=port, user=NOBODY,
                          scratch=scratch, root=root, hidden="HiddenStores on" if whole else "")
    written.write_text(text + (PROFTPD_TLS.format(tls=tls) if tls else ""))
    return [program, "--nodaemon", "--config", str(written)]


def start_pure_ftpd(program, root, scratch, port, tls, whole=False):
    """Pure-FTPd. Anonymous users are the system's user `ftp`, and see their home: it sees an /etc/passwd of its own."""
    others = [line for line in open("/etc/passwd") if not line.startswith("ftp:")]
    (scratch / "passwd").write_text("".join(others) + f"ftp:x:{NOBODY_ID}:{NOBODY_ID}::{root}:/bin/sh\n")
    most = str(MOST_SESSIONS)
    secure = ["--tls", "1", "--certfile", f"{tls}/both.pem"] if tls else []
    beside = ["--notruncate"] if whole else []
    own_passwd = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  'mount --bind "$0" /etc/passwd && exec "$@"', str(scratch / "passwd")]
    return [*own_passwd, program, "--bind", f"127.0.0.1,{port}", "--ipv4only", "--maxclientsnumber", most,
            "--maxclientsperip", most, "--limitrecursion", f"{MOST_LISTED}:1", "--dontresolve", "--syslogfacility",
            "none", "--pidfile", str(scratch / "pid"), *secure, *beside]


def start_pyftpdlib(program, root, scratch, port, tls, whole=False):
    """pyftpdlib; -W ignore: it warns of anonymous users who may write."""
    secure = [f"{tls}/both.pem"] if tls else []
    text = (PYFTPDLIB_WHOLE if whole else "") + PYFTPDLIB_SERVER
    return [program, "-W", "ignore", "-c", text, str(port), root, str(MOST_SESSIONS), *secure]


def start_libunftp(program, root, scratch, port, tls, whole=False):
    """libunftp, in the program of ours that is beside this; it stores in one way only."""
    return [program, str(port), root, *([f"{tls}/cert.pem", f"{tls}/key.pem"] if tls else [])]


def start_bare(program, root, scratch, port, tls, whole=False):
    """What no server can beat that has a thread for each session; it is in the clients' program."""
    secure = ["--cert", f"{tls}/cert.pem", "--key", f"{tls}/key.pem"] if tls else []
    return [program, "bare", "--port", str(port), "--root", root, *secure]


def start_careful(program, root, scratch, port, tls, whole=False):
    """The same, with all of gftp's promises of uploads that take system calls."""
    return [*start_bare(program, root, scratch, port, tls), "--careful"]


START = {"gftp": start_gftp, "vsftpd": start_vsftpd, "proftpd": start_proftpd, "pure-ftpd": start_pure_ftpd,
         "pyftpdlib": start_pyftpdlib, "libunftp": start_libunftp, "bare": start_bare,
         "careful": start_careful}


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


class Watch(threading.Thread):
    """Looks at a server's memory again and again, until `most` asks."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.seen, self.over = server, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(LOOK_EVERY):
            self.seen = max(self.seen, self.server.memory())

    def most(self):
        """The most that was seen; the end of it."""
        self.over.set()
        self.join()
        return self.seen


class Running:
    """A fresh server process; at the end of the `with` it and all its children are gone. It serves `root` and may write
    into `scratch`; `tls` is the folder of a certificate, or None for a server without TLS. Where uploads are to be `whole`, nobody
    may see half of one under its name."""

    def __init__(self, name, had, root, scratch, tls, whole=False):
        self.port = free_port()
        words = START[name](had["program"], str(root), scratch, self.port, tls, whole)
        more = {"LD_LIBRARY_PATH": had["libraries"]} if had.get("libraries") else {}
        self.output = scratch / f"{name}.log"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(words, env={**os.environ, **more}, stdin=subprocess.DEVNULL,
                                            stdout=output, stderr=output, start_new_session=True)
        self.cgroup = self.slow = None
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

    def slow_down(self, folder, rate):
        """From now on it may read no more than so many bytes a second from the folder's disk."""
        self.slow = slowness.hold_back(self.members(), self.cgroup, folder, rate)

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
        # clap ends with advice, others with the reason.
        raise Unavailable(f"it does not start: {next((line for line in said if line.startswith('error')), said[-1])}")

    def members(self):
        """All processes of the server. Some leave the process group, so that alone would not find them."""
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

    def settle(self):
        """Until it does nothing by itself any more: gftp looks for what a crash has left of uploads when it has begun, and others
        have children to get ready."""
        end, used = time.monotonic() + START_WITHIN, self.cpu()
        while time.monotonic() < end:
            time.sleep(QUIET)
            before, used = used, self.cpu()
            if used - before < NOTHING:
                return

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
        for cgroup in filter(None, (self.cgroup, self.slow)):
            while cgroup.exists() and time.monotonic() < end:
                try:
                    cgroup.rmdir()
                except OSError:
                    time.sleep(PAUSE)
