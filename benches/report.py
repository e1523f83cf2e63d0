"""The table of benches/peers: what was measured, as Markdown. Starts nothing and measures nothing."""

import statistics


def speed(m):
    """Megabytes each second."""
    return m["count"] / 1e6 / m["seconds"]


def cpu_of_bytes(m):
    """CPU seconds of the server for each GiB."""
    return m["cpu"] / (m["count"] / (1 << 30))


def rate(m):
    """Times each second."""
    return m["count"] / m["seconds"]


def cpu_of_each(m):
    """CPU milliseconds of the server for each time."""
    return m["cpu"] * 1000 / m["count"]


def cpu_of_short(m):
    """CPU microseconds of the server for each time."""
    return m["cpu"] * 1e6 / m["count"]


def meanwhile(m):
    """Megabytes each second that others have downloaded meanwhile."""
    return m["downloaded"] / 1e6 / m["seconds"]


def waited(share):
    """Microseconds that so many of a hundred have waited at most."""
    return lambda m: m[share] * 1e6


def transfers(scenario, what):
    """The two rows of a scenario that moves large files."""
    return [(scenario, f"{what}, MB/s", speed, True), (scenario, f"{what}, server CPU s/GiB", cpu_of_bytes, False)]


def listings(scenario, command):
    """The rows of a scenario that lists a folder."""
    what = f"{command} of {{many:,}} files"
    return [(scenario, f"{what}, first byte ms", lambda m: m["first"] * 1000, False),
            (scenario, f"{what}, total ms", lambda m: m["seconds"] * 1000, False),
            (scenario, f"{what}, server CPU s", lambda m: m["cpu"], False),
            (scenario, f"{what}, extra memory MiB at the peak", lambda m: (m["memory_most"] - m["memory"]) / 1024, False)]


def sessions(scenario, count):
    """The rows of a scenario whose sessions idle."""
    return [(scenario, f"PSS KiB per idle session, {count} sessions",
             lambda m: (m["memory"] - m["memory_before"]) / m["count"], False),
            (scenario, f"PSS MiB of the whole server with {count} sessions", lambda m: m["memory"] / 1024, False)]


def ftpbench(line, what, more_is_better, scenario="ftpbench"):
    """The row of a line that ftpbench prints."""
    return [(scenario, f"ftpbench: {what}", lambda m: m[line], more_is_better)]


def ftpbench_whole(line, what, more_is_better):
    """The same of servers that store beside and rename."""
    return ftpbench(line, f"{what}, beside and renamed", more_is_better, "ftpbench-whole")


# What a row shows: the scenario it comes from, its words (in braces are the run's sizes), how to compute it
# from one measurement, and whether more is better.
ROWS = [
    *transfers("retr", "RETR {big}"),
    *transfers("retr-8", "RETR {big} over 8 connections"),
    *transfers("stor", "STOR {big}"),
    *transfers("stor-8", "STOR {big} over 8 connections"),
    *transfers("stor-disk", "STOR {big} to the disk"),
    ("small-1", "RETR of 4 KiB files/s, 1 session", rate, True),
    ("small-16", "RETR of 4 KiB files/s, 16 sessions", rate, True),
    ("small-epsv-1", "RETR of 4 KiB files/s, 1 session, EPSV", rate, True),
    ("small-stor-1", "STOR of 4 KiB files/s, 1 session", rate, True),
    ("small-stor-16", "STOR of 4 KiB files/s, 16 sessions", rate, True),
    ("small-stor-whole-1", "STOR of 4 KiB files/s, 1 session, beside and renamed", rate, True),
    ("small-stor-whole-16", "STOR of 4 KiB files/s, 16 sessions, beside and renamed", rate, True),
    ("login", "anonymous logins/s, 16 clients", rate, True),
    ("login", "anonymous login, server CPU ms", cpu_of_each, False),
    ("noop", "NOOP, µs p50", waited("p50"), False),
    ("noop", "NOOP, µs p99", waited("p99"), False),
    ("noop", "NOOP, server CPU µs", cpu_of_short, False),
    ("noop-busy", "NOOP while 8 sessions download, µs p50", waited("p50"), False),
    ("noop-busy", "NOOP while 8 sessions download, µs p99", waited("p99"), False),
    ("noop-busy", "those 8 downloads, MB/s", meanwhile, True),
    ("cold", "NOOP while a file is read from the disk, µs p99", waited("p99"), False),
    ("cold", "that file from the disk, MB/s", meanwhile, True),
    ("slow", "NOOP while 8 sessions read from a slow disk, µs p99", waited("p99"), False),
    ("slow", "those 8 from the slow disk, MB/s", meanwhile, True),
    *listings("list", "LIST"),
    *listings("nlst", "NLST"),
    *listings("mlsd", "MLSD"),
    *sessions("idle", "{sessions:,}"),
    *sessions("idle-9000", "{crowd:,}"),
    *transfers("tls-retr-1", "TLS RETR {big}"),
    *transfers("tls-retr-4", "TLS RETR {big} over 4 connections"),
    *transfers("tls-stor-1", "TLS STOR {big}"),
    *transfers("tls-stor-4", "TLS STOR {big} over 4 connections"),
    ("tls-login", "TLS logins/s, 16 clients", rate, True),
    ("tls-login", "TLS login, server CPU ms", cpu_of_each, False),
    *ftpbench("STOR (client -> server)", "STOR, MB/s", True),
    *ftpbench("RETR (server -> client)", "RETR, MB/s", True),
    *ftpbench("concurrent clients (connect, login)", "{clients} logins one after another, s", False),
    *ftpbench("STOR (1 file with idle clients)", "STOR beside {clients} idle sessions, MB/s", True),
    *ftpbench("RETR (1 file with idle clients)", "RETR beside {clients} idle sessions, MB/s", True),
    *ftpbench("concurrent clients (RETR 10.0M file)", "{clients} RETR of 10 MiB at once, s", False),
    *ftpbench("concurrent clients (STOR 10.0M file)", "{clients} STOR of 10 MiB at once, s", False),
    *ftpbench("concurrent clients (QUIT)", "{clients} sessions QUIT at once, s", False),
    *ftpbench_whole("STOR (client -> server)", "STOR, MB/s", True),
    *ftpbench_whole("STOR (1 file with idle clients)", "STOR beside {clients} idle sessions, MB/s", True),
    *ftpbench_whole("concurrent clients (STOR 10.0M file)", "{clients} STOR of 10 MiB at once, s", False),
]


# What rows of a loop say beside what they are of.
LOOPS = {"bare": "", "careful": ", with all that gftp promises"}
# What the kernel can do: its words, and the scenario that can do no better, with its words.
LIMITS = [("sendfile", "sendfile of {big}", "retr", "RETR"),
          ("sendfile-8", "sendfile of {big} over 8 connections", "retr-8", "RETR over 8 connections"),
          ("splice", "splice of {big} into memory", "stor", "STOR"),
          ("splice-8", "splice of {big} into memory over 8 connections", "stor-8", "STOR over 8 connections"),
          ("splice-disk", "splice of {big} to the disk", "stor-disk", "STOR to the disk")]


def number(value):
    """Three digits that count; more are noise."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(ours, theirs, more_is_better):
    """How far ours is ahead: the ratio of the medians, then the least and the largest of single rounds."""
    def ahead(a, b):
        return a / b if more_is_better else b / a
    # What is too little to be seen, as the extra memory of a short listing, is no whole to have a part of.
    rounds = [ahead(a, b) for a, b in zip(ours, theirs) if a > 0 and b > 0]
    if statistics.median(ours) <= 0 or statistics.median(theirs) <= 0:
        return "–"
    middle = ahead(statistics.median(ours), statistics.median(theirs))
    return f"**{middle:.2f}** ({min(rounds):.2f}–{max(rounds):.2f})" if len(rounds) > 1 else f"**{middle:.2f}**"


def table(run):
    """The Markdown of a run (what --json writes)."""
    servers = list(run["servers"])
    peers = [name for name in servers if name != "gftp"] if "gftp" in servers else []
    head = ["", *servers, *(f"gftp/{peer}" for peer in peers)]
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    for scenario, words, value, more_is_better in ROWS:
        measured = run["measured"].get(scenario)
        if measured is None:
            continue
        values = {name: [value(m) for m in measured.get(name, [])] for name in servers}
        cells = [number(statistics.median(values[name])) if values[name] else "–" for name in servers]
        cells += [ratio(values["gftp"], values[peer], more_is_better) if values["gftp"] and values[peer] else "–"
                  for peer in peers]
        lines.append("| " + " | ".join([words.format(**run["sizes"]), *cells]) + " |")
    return "\n".join(lines)


def limits(run):
    """The Markdown of what the kernel can do, and how near to it gftp comes."""
    lines = []
    for limit, words, scenario, what in LIMITS:
        measured = run.get("limits", {}).get(limit)
        if not measured:
            continue
        fastest, ours = statistics.median(map(speed, measured)), run["measured"].get(scenario, {}).get("gftp")
        share = f"{what} {statistics.median(map(speed, ours)) / fastest:.0%}" if ours else "–"
        cells = [words.format(**run["sizes"]), number(fastest), number(statistics.median(map(cpu_of_bytes, measured)))]
        lines.append("| " + " | ".join([*cells, share]) + " |")
    head = ["What the kernel can do, with neither FTP nor a server; medians of the same rounds.", "",
            "|  | MB/s | CPU s/GiB | gftp's MB/s of that |", "|---|---:|---:|---:|"]
    return ["", *head, *lines] if lines else []


def loops(run):
    """The Markdown of what loops of system calls come to where they stood for a server, and how near to them gftp and its best peer come."""
    lines = []
    for scenario, words, value, more_is_better in ROWS:
        measured = run["measured"].get(scenario, {})
        middle = {name: statistics.median(map(value, all_of_it)) for name, all_of_it in measured.items() if all_of_it}
        stood = [(middle.pop(loop), beside) for loop, beside in LOOPS.items() if loop in middle]
        ours = middle.pop("gftp", None)
        best = (max if more_is_better else min)(middle.values(), default=None)
        for loop, beside in stood:
            near = [f"{one / loop if more_is_better else loop / one:.2f}" if one else "–" for one in (ours, best)]
            lines.append("| " + " | ".join([words.format(**run["sizes"]) + beside, number(loop), *near]) + " |")
    head = ["What a bare loop in a thread for each session comes to, with the fewest system calls and without any rule, or with those that "
            "gftp's promises need and no more.", "",
            "|  | bare loop | gftp, of that | the best peer, of that |", "|---|---:|---:|---:|"]
    return ["", *head, *lines] if lines else []


def agreed(run):
    """What TLS came to with each server: a difference in ciphers would be a difference in speed."""
    lines = []
    for name in run["servers"]:
        said = {m["tls"] for measured in run["measured"].values() for m in measured.get(name, []) if m.get("tls")}
        # Logins have no data connection to tell of.
        whole = sorted(one for one in said if not any(other.startswith(one + ",") for other in said))
        lines += [f"TLS of {name}: {'; '.join(whole)}  "] if whole else []
    return lines


def failed(run):
    """What servers have not done beside what counts: a login that fails is one that its client tries again."""
    lines = []
    for scenario, measured in run["measured"].items():
        for name, all_of_it in measured.items():
            lost, done = (sum(m.get(what, 0) for m in all_of_it) for what in ("failed", "count"))
            if lost:
                lines.append(f"Failed beside those in {scenario} of {name}: {lost:.0f} of {done + lost:.0f}  ")
    return lines


def text(run):
    """All that is printed at the end: where and how it was measured, the table, what is missing in it."""
    lines = [f"{name}: {value}  " for name, value in run["facts"].items()]
    lines += ["", "Medians; a ratio above 1 means that gftp is ahead, and in parentheses are the least and the largest "
              "ratio of single rounds.", "", table(run), *limits(run), *loops(run)]
    if agreed(run):
        lines += ["", *agreed(run)]
    if failed(run):
        lines += ["", *failed(run)]
    if run["skipped"]:
        lines += ["", *(f"Skipped: {reason}" for reason in run["skipped"])]
    return "\n".join(lines)
