"""A disk that is slow for one server of benches/peers, as the kernel holds it back. Refuses to know what is measured."""

import contextlib
import os
import pathlib

from obtaining import Unavailable


def mounted(kind, option):
    """Where a file system of this kind and option is mounted, or None."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, its_kind, options, *_ = line.split()
        if its_kind == kind and option in options.split(","):
            return pathlib.Path(place)
    return None


def disk_of(folder):
    """The whole disk that a folder lies on, as the kernel numbers it."""
    number = os.stat(folder).st_dev
    device = pathlib.Path(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}").resolve()
    disk = device.parent if (device / "partition").exists() else device
    try:
        return (disk / "dev").read_text().strip()
    except OSError as e:
        raise Unavailable(f"{folder} lies on no disk of this machine") from e


def hold_back(pids, cgroup, folder, rate):
    """Lets these processes, and their children to come, read no more than so many bytes a second from the folder's disk.
    `cgroup` is their own of version 2, if they have one. Returns a cgroup that is to be removed when they are gone, or None."""
    disk, version_1 = disk_of(folder), mounted("cgroup", "blkio")
    try:
        if version_1:
            slow = version_1 / f"gftp-peers-slow-{pids[0]}"
            slow.mkdir()
            (slow / "blkio.throttle.read_bps_device").write_text(f"{disk} {rate}")
            for pid in pids:
                # One that has ended meanwhile reads nothing.
                with contextlib.suppress(ProcessLookupError):
                    (slow / "cgroup.procs").write_text(str(pid))
            return slow
        if cgroup is None:
            raise Unavailable("there are no cgroups here, by which a disk is made slow")
        (cgroup.parent / "cgroup.subtree_control").write_text("+io")
        (cgroup / "io.max").write_text(f"{disk} rbps={rate}")
        return None
    except OSError as e:
        raise Unavailable(f"no disk can be made slow here: {e}") from e
