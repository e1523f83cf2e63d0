"""The table of benches/peers: what was measured, as Markdown. Starts nothing and measures nothing."""

import statistics

# What a row shows: the scenario it comes from, its words ({big} and {sessions} are the run's sizes), how to compute it
# from one measurement, and whether more is better.
ROWS = [
    ("retr", "RETR {big}, MB/s", lambda m: m["count"] / 1e6 / m["seconds"], True),
    ("retr", "RETR {big}, server CPU s/GiB", lambda m: m["cpu"] / (m["count"] / (1 << 30)), False),
    ("stor", "STOR {big}, MB/s", lambda m: m["count"] / 1e6 / m["seconds"], True),
    ("stor", "STOR {big}, server CPU s/GiB", lambda m: m["cpu"] / (m["count"] / (1 << 30)), False),
    ("login", "anonymous logins/s, 16 clients", lambda m: m["count"] / m["seconds"], True),
    ("small-1", "RETR of 4 KiB files/s, 1 session", lambda m: m["count"] / m["seconds"], True),
    ("small-16", "RETR of 4 KiB files/s, 16 sessions", lambda m: m["count"] / m["seconds"], True),
    ("idle", "PSS KiB per idle session, {sessions} sessions",
     lambda m: (m["memory"] - m["memory_before"]) / m["count"], False),
    ("idle", "PSS MiB of the whole server with {sessions} sessions", lambda m: m["memory"] / 1024, False),
]


def number(value):
    """Three digits that count; more are noise."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def ratio(ours, theirs, more_is_better):
    """How far ours is ahead: the ratio of the medians, then the least and the largest of single rounds."""
    def ahead(a, b):
        return (a / b if more_is_better else b / a) if a > 0 and b > 0 else float("nan")
    rounds = [ahead(a, b) for a, b in zip(ours, theirs)]
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


def text(run):
    """All that is printed at the end: where and how it was measured, the table, what is missing in it."""
    lines = [f"{name}: {value}  " for name, value in run["facts"].items()]
    lines += ["", "Medians; a ratio above 1 means that gftp is ahead, and in parentheses are the least and the largest "
              "ratio of single rounds.", "", table(run)]
    if run["skipped"]:
        lines += ["", *(f"Skipped: {reason}" for reason in run["skipped"])]
    return "\n".join(lines)
