"""The picture of benches/scaling: how costs grow with numbers, both axes logarithmic, each cost beside its own where there is one (or the fewest that say anything). Starts nothing
and measures nothing."""

import math
from xml.sax.saxutils import escape

# Pixels: the plot, room on its left and below for words, and between lines of words.
WIDTH, HEIGHT, LEFT, TOP, LINE = 460, 240, 56, 64, 16
COLOURS = ["#c2410c", "#0f766e", "#1d4ed8", "#7c3aed", "#475569"]
STYLE = "text{font-family:system-ui,sans-serif;font-size:11px;fill:#1f2937}.head{font-size:14px;font-weight:600}"


def text(x, y, words, anchor="start", **attributes):
    """A line of text; its middle is at `y`."""
    more = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return f'<text x="{x:.0f}" y="{y:.1f}" dominant-baseline="central" text-anchor="{anchor}"{more}>{escape(words)}</text>'


def svg(facts, costs):
    """`costs`: for each its words, and the value at each number. What is level costs the same for each; what falls, less."""
    numbers = sorted({n for _, values in costs for n in values})
    shares = [(words, {n: value / values[min(values)] for n, value in sorted(values.items())}) for words, values in costs]
    logs = [math.log10(share) for _, values in shares for share in values.values()]
    low, high = math.floor(min(logs)), max(1, math.ceil(max(logs)))
    right = math.log10(numbers[-1])

    def place(n, share):
        return LEFT + WIDTH * math.log10(n) / right, TOP + HEIGHT * (high - math.log10(share)) / (high - low)

    parts = [text(16, 20, "gftp: the cost of each, beside the cost of one alone", **{"class": "head"}),
             text(16, 40, f"{facts['Date']} · {facts['Machine']} · {facts['gftp']}")]
    for power in range(low, high + 1):
        _, y = place(1, 10 ** power)
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d5dbe3"/>')
        parts.append(text(LEFT - 6, y, f"{10 ** power:g} ×", anchor="end"))
    for n in numbers:
        x, _ = place(n, 1)
        parts.append(text(x, TOP + HEIGHT + 14, f"{n:,}", anchor="middle"))
    for number, (words, values) in enumerate(shares):
        points = " ".join("{:.1f},{:.1f}".format(*place(n, values[n])) for n in values)
        colour, y = COLOURS[number % len(COLOURS)], TOP + HEIGHT + 38 + LINE * number
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>')
        parts.append(text(LEFT + 32, y, words))
    width, height = LEFT + WIDTH + 40, TOP + HEIGHT + 44 + LINE * len(shares)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">\n'
            f'<style>{STYLE}</style>\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n")
