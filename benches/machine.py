"""The machine that benches/ measures on: what is built, who measures, and how network and cores are shared meanwhile. Measures
nothing."""

import datetime
import fcntl
import json
import os
import pathlib
import resource
import signal
import socket
import struct
import subprocess
import sys

import obtaining

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Linux's own default, which most machines have; or its elder, where the kernel keeps that from networks of one's own.
# BBR, which some machines have, paces even loopback: it would be what is measured.
CONGESTION = ["cubic", "reno"]
CONGESTION_CONTROL = pathlib.Path("/proc/sys/net/ipv4/tcp_congestion_control")


def say(*words):
    """To people; the table alone goes to standard output."""
    print(*words, file=sys.stderr, flush=True)


def build(target):
    """gftp and the clients, optimised; where they are."""
    try:
        cargo = obtaining.cargo()
    except obtaining.Unavailable as e:
        sys.exit(str(e))
    say("Building gftp and its clients")
    built = subprocess.run([cargo, "build", "--release", "--bin", "gftp", "--bench", "load", "--target-dir", target,
                            "--message-format", "json-render-diagnostics"], cwd=ROOT, stdout=subprocess.PIPE)
    if built.returncode != 0:
        sys.exit("the build has failed")
    made = [json.loads(line) for line in built.stdout.splitlines()]
    return {m["target"]["name"]: m["executable"] for m in made if m.get("executable")}


def target():
    """Where cargo builds."""
    return pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()


def commit():
    """Which sources these are."""
    git = ["git", "-C", str(ROOT)]
    try:
        commit = obtaining.run(*git, "rev-parse", "--short=12", "HEAD").strip()
        return commit + (" and changes" if obtaining.run(*git, "status", "--porcelain").strip() else "")
    except (obtaining.Unavailable, OSError):
        return "unknown"


def has_own_net():
    """Whether there can be a network of our own."""
    return subprocess.run(obtaining.as_root("unshare", "--net", "true"), capture_output=True).returncode == 0


def need_root(name):
    """Ends the script where it cannot become root."""
    if subprocess.run(obtaining.as_root("true"), capture_output=True).returncode != 0:
        sys.exit(f"{name} needs root, or a sudo that asks nothing")


def become_root(prepared):
    """The script again: as root, because most servers want to be and other users' memory is to be read, and with a network
    of its own, where nobody else's traffic or settings are."""
    words = ["unshare", "--net"] if prepared["own_net"] else []
    words = obtaining.as_root(*words, sys.executable, *sys.argv, "--prepared", json.dumps(prepared))
    os.execvp(words[0], words)


def end_in_order():
    """Whatever ends the script lets its `with`s end what it has started."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def all_descriptors():
    """Takes all that may be had; how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def congestion_control():
    """What all connections have that are made from now on."""
    return CONGESTION_CONTROL.read_text().strip()


def set_up_network(wanted):
    """Loopback up, and settings that keep one server's past from being the next one's load."""
    up_loopback_running = 0x1 | 0x8 | 0x40
    with socket.socket() as any_socket:
        set_flags = 0x8914
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sH22x", b"lo", up_loopback_running))
    settings = [
        *(("tcp_congestion_control", name) for name in reversed([wanted] if wanted else CONGESTION)),
        # Thousands of short connections, each of which rests for a minute in TIME_WAIT: ports for them, and few of them.
        ("ip_local_port_range", "10000 65000"),
        ("tcp_max_tw_buckets", "4096"),
    ]
    for name, value in settings:
        try:
            pathlib.Path("/proc/sys/net/ipv4", name).write_text(value)
        except OSError:
            # What is then used is said above the table.
            pass


# Whether the kernel shares the cores among sessions of processes before it shares them among processes.
AUTOGROUPS = pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled")


def autogroups():
    """Whether it does so."""
    return AUTOGROUPS.exists() and AUTOGROUPS.read_text().strip() != "0"


def share_equally(stack):
    """One thread is as good as another while we measure: otherwise a server whose processes begin sessions of their own
    (setsid) has many shares of the cores against the one of all the clients, who in earnest are on other machines."""
    try:
        before = AUTOGROUPS.read_text()
        AUTOGROUPS.write_text("0")
    except OSError:
        # What is then the case is said above the table.
        return
    stack.callback(AUTOGROUPS.write_text, before)


def make_fair(stack, own_net, congestion=None):
    """Network and cores are what they are to be, until `stack` ends; with the congestion control that is asked for."""
    if own_net:
        set_up_network(congestion)
    if congestion and congestion_control() != congestion:
        sys.exit(f"this kernel does not let us choose {congestion}: it has {congestion_control()}")
    share_equally(stack)


def facts(own_net):
    """Where it is measured, and how network and cores are shared."""
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "CPU")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "Machine": f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GiB; load at the start {os.getloadavg()[0]:.1f}",
        "Kernel": os.uname().release,
        "Date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "Congestion control": f"{congestion_control()}, for all, on " + ("a loopback of its own" if own_net
                                                               else "the machine's loopback"),
        "Cores": "shared among " + ("sessions of processes first" if autogroups() else "all threads alike"),
    }


def write(file, text):
    """Into a file that belongs to whom sudo was asked by."""
    with open(file, "w") as output:
        output.write(text)
    if "SUDO_UID" in os.environ:
        os.chown(file, int(os.environ["SUDO_UID"]), int(os.environ["SUDO_GID"]))
