"""The files that the servers of benches/peers serve: in memory, and on the disk. Starts nothing and measures nothing."""

import os
import pathlib
import shutil
import tempfile

import obtaining
import scenarios

MEMORY = "/dev/shm"
# Where the disk is, unless it is memory too, as Debian's /tmp may be. A user's own folders are closed to most servers.
DISKS = [tempfile.gettempdir(), "/var/tmp"]
IN_MEMORY = {"tmpfs", "ramfs"}
# What is left free beside the files.
SPARE = 512 * scenarios.MIB
# What an empty file takes of memory: its inode and its name.
EMPTY_FILE = 1024


def disk():
    """A folder that is not in memory, or None."""
    return next((folder for folder in DISKS if os.path.isdir(folder)
                 and obtaining.run("stat", "-f", "-c", "%T", folder).strip() not in IN_MEMORY), None)


def large(wanted, sizes):
    """The large files that these scenarios fetch, and their sizes."""
    said = {word for scenario in wanted for word in scenarios.SCENARIOS[scenario].split()}
    all_of_them = {"big": sizes["bytes"], "quarter": sizes["quarter"], "eighth": sizes["eighth"]}
    # The kernel's own limits are measured with the first.
    return {name: size for name, size in all_of_them.items() if name == "big" or f"/{name}" in said}


def lacking(folder, wanted, sizes):
    """What is to be said when the folder has no room for the files of these scenarios and an upload; else None."""
    times = [scenarios.COPIES.get(scenarios.SCENARIOS[scenario].split()[0], 1) for scenario in wanted]
    stored = max(times, default=1) * sizes["bytes"]
    needed = sum(large(wanted, sizes).values()) + stored + sizes["many"] * EMPTY_FILE + SPARE
    free = shutil.disk_usage(folder).free
    mib = scenarios.MIB
    return f"{folder} has {free // mib} MiB free, and {needed // mib} are needed" if free < needed else None


def make(root, wanted, sizes):
    """What is served for these scenarios: large files, small ones, a folder with very many, and one for uploads."""
    # mkdtemp's folders are the owner's alone, and vsftpd becomes somebody else.
    root.chmod(0o755)
    block = os.urandom(scenarios.MIB)
    for name, size in large(wanted, sizes).items():
        with open(root / name, "wb") as file:
            for _ in range(size // scenarios.MIB):
                file.write(block)
    (root / "small").mkdir()
    for number in range(scenarios.FILES):
        (root / "small" / str(number)).write_bytes(os.urandom(scenarios.FILE_SIZE))
    (root / "many").mkdir()
    if any("/many" in scenarios.SCENARIOS[scenario] for scenario in wanted):
        for number in range(sizes["many"]):
            (root / "many" / f"file-{number:06}.dat").touch()
    (root / "up").mkdir()
    (root / "up").chmod(0o777)


def settle():
    """Writes all that waits to be written: what one server has left would be the next one's load."""
    os.sync()


def empty(root):
    """Removes what has been uploaded."""
    for upload in (root / "up").iterdir():
        upload.unlink()


def wrong_uploads(root, scenario, sizes):
    """What is wrong with what is there after a scenario that stores; None if nothing is."""
    stored = [upload.stat().st_size for upload in (root / "up").iterdir()]
    if scenario.startswith("small"):
        wrong = sum(size != scenarios.FILE_SIZE for size in stored)
        return f"{wrong} of {len(stored)} files are of another size" if wrong or not stored else None
    return f"it has stored {sum(stored)} bytes of {sizes['bytes']}" if sum(stored) != sizes["bytes"] else None


def folder(parent):
    """A folder that is removed at the end of its `with`."""
    return tempfile.TemporaryDirectory(prefix="gftp-peers-", dir=parent)


def roots(stack, wanted, sizes):
    """Where each scenario's files are, made, until `stack` ends; and what has to be skipped because there is no place."""
    place, skipped, made = disk(), {}, {}
    lack = lacking(MEMORY, wanted, sizes)
    if lack:
        raise obtaining.Unavailable(f"{lack}: enlarge it, or use --quick")
    made["memory"] = pathlib.Path(stack.enter_context(folder(MEMORY)))
    make(made["memory"], wanted, sizes)
    slow = scenarios.ON_DISK.intersection(wanted)
    if slow:
        lack = lacking(place, slow, sizes) if place else f"{' and '.join(DISKS)} are in memory"
        skipped = {scenario: lack for scenario in slow} if lack else {}
        if not lack:
            made["disk"] = pathlib.Path(stack.enter_context(folder(place)))
            make(made["disk"], slow, sizes)
    return made, skipped
