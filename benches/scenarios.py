"""What benches/peers measures: each scenario in the words of the clients (load/), and the sizes. Starts nothing."""

MIB = 1 << 20
# Small files: enough of them that no session meets another at the same one.
FILES, FILE_SIZE = 64, 4096
# Sizes: the large file, seconds of a scenario that repeats, sessions that idle (some, and a crowd), files of the folder
# that is listed, clients of ftpbench, rounds.
FULL = {"bytes": 1024 * MIB, "big": "1 GiB", "seconds": 3, "sessions": 2000, "crowd": 9000, "many": 100_000,
        "clients": 100, "rounds": 5}
QUICK = {"bytes": 64 * MIB, "big": "64 MiB", "seconds": 0.2, "sessions": 50, "crowd": 200, "many": 2000,
         "clients": 10, "rounds": 1}
# What a server keeps for each session that idles, where it counts before; and what is open beside those.
FILES_EACH, OTHER_FILES = 2, 600

SMALL = f"--seconds {{seconds}} --files {FILES} --bytes {FILE_SIZE}"
STORED = f"--folder /up --local {{root}}/up {SMALL}"
LISTED = "--folder /many --files {many}"

# The words for the clients; braces are the sizes, and where the server's root is for us. Where they say --tls, the server
# is started with TLS, else without.
SCENARIOS = {
    "retr": "retr --path /big --bytes {bytes}",
    "retr-8": "retr --connections 8 --path /eighth --bytes {eighth}",
    "stor": "stor --path /up/big --bytes {bytes}",
    "stor-8": "stor --connections 8 --path /up/big --bytes {eighth}",
    "stor-disk": "stor --path /up/big --bytes {bytes}",
    "small-1": f"small --sessions 1 --folder /small {SMALL}",
    "small-16": f"small --sessions 16 --folder /small {SMALL}",
    "small-epsv-1": f"small --epsv --sessions 1 --folder /small {SMALL}",
    "small-stor-1": f"small-stor --sessions 1 {STORED}",
    "small-stor-16": f"small-stor --sessions 16 {STORED}",
    "small-stor-whole-1": f"small-stor --sessions 1 {STORED}",
    "small-stor-whole-16": f"small-stor --sessions 16 {STORED}",
    "login": "login --sessions 16 --seconds {seconds}",
    "noop": "noop --seconds {seconds}",
    "noop-busy": "noop --seconds {seconds} --downloads 8 --path /big --bytes {bytes}",
    "cold": "noop --seconds {seconds} --downloads 1 --path /big --bytes {bytes} --cold {root}/big",
    "slow": "noop --seconds {long} --downloads 8 --path /big --bytes {bytes} --cold {root}/big",
    "list": f"list --command LIST {LISTED}",
    "nlst": f"list --command NLST {LISTED}",
    "mlsd": f"list --command MLSD {LISTED}",
    "idle": "idle --sessions {sessions}",
    "idle-9000": "idle --sessions {crowd}",
    "tls-retr-1": "retr --tls --path /big --bytes {bytes}",
    "tls-retr-4": "retr --tls --connections 4 --path /quarter --bytes {quarter}",
    "tls-stor-1": "stor --tls --path /up/big --bytes {bytes}",
    "tls-stor-4": "stor --tls --connections 4 --path /up/big --bytes {quarter}",
    "tls-login": "login --tls --sessions 16 --seconds {seconds}",
    # pyftpdlib's own, with words of its own.
    "ftpbench": "ftpbench {clients}",
    "ftpbench-whole": "ftpbench {clients}",
}
# Those whose servers store beside the name and rename, so that nobody sees half of an upload: what gftp always does, and some others
# where they are told to.
WHOLE = {"small-stor-whole-1", "small-stor-whole-16", "ftpbench-whole"}
# Those whose files are on the disk; all others are in memory.
ON_DISK = {"stor-disk", "cold", "slow"}
# Those whose disk is slow for the server, which may read so many bytes a second: as an old USB stick does, or a disk that many
# others use. The kernel reads megabytes ahead, so that single reads take a good part of a second.
SLOW, SLOW_BYTES = {"slow"}, 16 * MIB
# What is done twice, and the second time counts. A virtual machine gives back what memory is free, and who takes it first pays for
# getting it again: up to seven times what an upload costs. The first time fetches it, in the pieces in which this server takes it.
TWICE = {"retr", "stor", "ftpbench"}
# How many times the bytes of a large file lie in memory at once, beside the file itself, where it is more than once: ftpbench stores
# as many as go in a second, twice, the second time beside the first, and then a hundred files.
COPIES = {"ftpbench": 3}
# Beside which it is worth to know what the kernel can do.
BESIDE_LIMITS = {"retr", "retr-8", "stor", "stor-8", "stor-disk"}

# Where loops of system calls (load/bare.rs) may stand for a server, to show what is the kernel's and the clients' part: a bare one, and one
# that keeps what gftp promises of waits, of uploads (load/careful.rs) and of TLS, to show what the promises cost.
LOOPS = {
    "bare": {"retr", "retr-8", "small-1", "small-16", "small-epsv-1", "small-stor-1", "small-stor-16", "small-stor-whole-1",
             "small-stor-whole-16", "login", "tls-login", "noop", "noop-busy", "nlst", "ftpbench"},
    "careful": {"small-stor-1", "small-stor-16", "small-stor-whole-1", "small-stor-whole-16", "login", "tls-login"},
}

FORKS = "it has a process for each session, or two: so many would take the machine down"
LEFT_OUT = {("idle-9000", name): FORKS for name in ("vsftpd", "proftpd", "pure-ftpd")}
LEFT_OUT["mlsd", "vsftpd"] = "it has no MLSD"
LEFT_OUT.update({(scenario, name): "it writes into the file that readers see, and knows no other way"
                 for scenario in WHOLE for name in ("vsftpd", "libunftp")})
REPLACES = "it lets no visitor replace a file, which ftpbench does"
LEFT_OUT.update({("ftpbench", "vsftpd"): REPLACES, ("ftpbench", "pure-ftpd"): REPLACES})
LEFT_OUT.update({(scenario, name): "its visitors may not write into the folder that it serves, which ftpbench does"
                 for scenario, name in [("ftpbench", "proftpd"), ("ftpbench-whole", "proftpd"), ("ftpbench-whole", "pure-ftpd")]})


def named(asked):
    """The scenarios of these names; what is no name stands for all that begin with it. Others are kept."""
    found = []
    for name in asked:
        group = [name] if name in SCENARIOS else [scenario for scenario in SCENARIOS if scenario.startswith(name)]
        found += [scenario for scenario in group or [name] if scenario not in found]
    return found


def words(scenario, sizes, root):
    """What the clients are told."""
    return [word.format(**sizes, root=root) for word in SCENARIOS[scenario].split()]


def secure(scenarios):
    """Whether there is one among them that needs a certificate."""
    return any("--tls" in SCENARIOS[scenario] for scenario in scenarios)


def sized(quick, rounds, open_files):
    """The sizes of a run, on a machine that lets a process open so many files."""
    sizes = dict(QUICK if quick else FULL)
    sizes["rounds"] = rounds or sizes["rounds"]
    # A slow disk gives what it has in pieces, as much as the kernel reads ahead: up to 16 MiB, where few seconds have only three.
    sizes["long"] = 5 * sizes["seconds"]
    sizes["quarter"], sizes["eighth"] = sizes["bytes"] // 4, sizes["bytes"] // 8
    for sessions in ("sessions", "crowd"):
        sizes[sessions] = max(1, min(sizes[sessions], (open_files - OTHER_FILES) // FILES_EACH))
    return sizes
