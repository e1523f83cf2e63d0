"""The picture of benches/peers: what was measured, as bars in an SVG. Starts nothing and measures nothing."""

import statistics
from xml.sax.saxutils import escape

import report

# Pixels: the column of words, the longest bar, room for the number behind it.
WORDS, LONGEST, NUMBER = 300, 380, 80
BAR, GAP, BETWEEN, MARGIN = 11, 2, 14, 16
# gftp in a colour, its peers in greys that can be told apart in print.
OURS, THEIRS = "#c2410c", ["#475569", "#64748b", "#94a3b8", "#b8c2cf", "#d5dbe3"]
STYLE = "text{font-family:system-ui,sans-serif;font-size:11px;fill:#1f2937}.head{font-size:14px;font-weight:600}"


def bars(run):
    """For each row its words and (server, value, share of the best) of each server that was measured."""
    for scenario, words, value, more_is_better in report.ROWS:
        measured = run["measured"].get(scenario, {})
        medians = {name: statistics.median(value(m) for m in measured[name])
                   for name in run["servers"] if measured.get(name)}
        medians = {name: median for name, median in medians.items() if median > 0}
        if medians:
            best = (max if more_is_better else min)(medians.values())
            shares = [(name, it, it / best if more_is_better else best / it) for name, it in medians.items()]
            yield words.format(**run["sizes"]) + ("" if more_is_better else " (less is better)"), shares


def text(x, y, words, **attributes):
    """A line of text; its middle is at `y`."""
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.0f}" y="{y:.1f}" dominant-baseline="central"{more}>{escape(words)}</text>'


def svg(run):
    """The whole picture: the longest bar of each row is the best one."""
    greys = iter(THEIRS)
    colours = {name: OURS if name == "gftp" else next(greys, THEIRS[-1]) for name in run["servers"]}
    facts, parts, y = run["facts"], [], MARGIN + 8
    parts.append(text(MARGIN, y, "gftp and its peers: the longest bar is the best", **{"class": "head"}))
    for line in (f"{facts.get('Date', '')} · {facts.get('Machine', '')}", facts.get("Servers", "")):
        y += 18
        parts.append(text(MARGIN, y, line))
    y += 24
    for words, shares in bars(run):
        parts.append(text(MARGIN + WORDS - 8, y + BAR / 2, words, **{"text-anchor": "end"}))
        for name, value, share in shares:
            x, width = MARGIN + WORDS, max(1, share * LONGEST)
            parts.append(f'<rect x="{x}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colours[name]}"/>')
            parts.append(text(x + width + 5, y + BAR / 2, f"{name} {report.number(value)}"))
            y += BAR + GAP
        y += BETWEEN
    width = MARGIN * 2 + WORDS + LONGEST + NUMBER
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y}" width="{width}" height="{y}">\n'
            f'<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")
