"""A small writer of plots: bars on a logarithmic scale, and lines on two of them. Colours serve light and dark pages."""
import math
from html import escape

COLOURS = ["#2a78d6", "#d6672a", "#2a9d5c", "#9b51c4", "#c43d5b", "#7a7a7a"]
INK, FAINT = "#6b7280", "#9ca3af55"


class Drawing:
    def __init__(self, width, height, title):
        self.width, self.height, self.parts = width, height, []
        self.text(12, 22, title, size=15, weight="bold")

    def line(self, x1, y1, x2, y2, colour=FAINT, width=1.0, dash=""):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"' + (f' stroke-dasharray="{dash}"' if dash else "") + "/>")

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(0.5, width):.1f}" height="{height:.1f}" rx="1.5" fill="{colour}"/>')

    def text(self, x, y, words, size=11, anchor="start", weight="normal", colour=INK):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" fill="{colour}">{escape(words)}</text>')

    def path(self, points, colour):
        self.parts.append('<polyline fill="none" stroke-width="2" stroke="' + colour + '" points="' + " ".join(f"{x:.1f},{y:.1f}" for x, y in points) + '"/>')
        self.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>' for x, y in points]

    def legend(self, x, y, names, colours):
        for name, colour in zip(names, colours):
            self.box(x, y - 9, 10, 10, colour)
            self.text(x + 14, y, name)
            x += 24 + 6.2 * len(name)

    def __str__(self):
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" viewBox="0 0 {self.width} {self.height}" font-family="sans-serif">'
        return "\n".join([head, *self.parts, "</svg>", ""])


def short(value):
    """3 significant digits, without a needless point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def decades(low, high):
    return [10.0 ** k for k in range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)]


def bars(title, groups, series, colours, marks=(1.0,), unit="x"):
    """`groups`: [(label, {name of a series: value})]; horizontal bars on a logarithmic scale, with lines at `marks`. The drawing as text; empty if nothing is to be drawn."""
    groups = [(label, row) for label, row in groups if row]
    values = [v for _, row in groups for v in row.values()] + list(marks)
    if not groups:
        return ""
    low, high = min(values) / 1.25, max(values) * 1.6
    left, right, bar, gap, top = 260, 60, 11, 12, 58
    height = top + sum(len(row) * bar + gap for _, row in groups) + 34
    d = Drawing(900, height, title)
    x = lambda v: left + (900 - left - right) * math.log(v / low) / math.log(high / low)
    bottom = height - 30
    for tick in [t * k for t in decades(low, high) for k in (1, 2, 5)]:
        if low <= tick <= high:
            d.line(x(tick), top - 8, x(tick), bottom)
            if high / low < 60 or math.log10(tick) % 1 == 0:
                d.text(x(tick), bottom + 14, short(tick) + unit, anchor="middle")
    for mark in marks:
        d.line(x(mark), top - 8, x(mark), bottom, INK, 1.4)
    d.legend(left, 42, series, colours)
    y = top
    for label, row in groups:
        d.text(left - 8, y + len(row) * bar / 2 + 4, label, anchor="end")
        for name, colour in zip(series, colours):
            if name in row:
                begin = marks[0] if marks else low
                d.box(x(min(begin, row[name])), y, abs(x(row[name]) - x(begin)), bar - 2, colour)
                d.text(x(max(begin, row[name])) + 4, y + 8.5, short(row[name]) + unit, size=9)
                y += bar
        y += gap
    return str(d)


def growth(title, panels):
    """`panels`: [(title, name of x, name of y, {series: [(x, y)]})], two in a row, both axes logarithmic. The drawing as text, or empty."""
    panels = [p for p in panels if any(p[3].values())]
    if not panels:
        return ""
    wide, tall = 440, 270
    d = Drawing(2 * wide + 20, 40 + tall * ((len(panels) + 1) // 2), title)
    for k, (name, x_name, y_name, series) in enumerate(panels):
        x0, y0, w, h = 70 + (k % 2) * wide, 76 + (k // 2) * tall, wide - 100, tall - 96
        points = [p for line in series.values() for p in line]
        lows, highs = [min(p[i] for p in points) for i in (0, 1)], [max(p[i] for p in points) for i in (0, 1)]
        highs = [hi if hi > lo else lo * 10 for lo, hi in zip(lows, highs)]
        x = lambda v: x0 + w * math.log(v / lows[0]) / math.log(highs[0] / lows[0])
        y = lambda v: y0 + h - h * math.log(v / lows[1]) / math.log(highs[1] / lows[1])
        d.text(x0, y0 - 26, name, size=12, weight="bold")
        d.legend(x0, y0 - 9, list(series), COLOURS)
        for tick in decades(*(lows[0], highs[0])):
            if lows[0] <= tick <= highs[0]:
                d.line(x(tick), y0, x(tick), y0 + h)
                d.text(x(tick), y0 + h + 14, f"{tick:.0e}".replace("e+0", "e") if tick >= 1e5 else short(tick), size=9, anchor="middle")
        for tick in decades(*(lows[1], highs[1])):
            if lows[1] <= tick <= highs[1]:
                d.line(x0, y(tick), x0 + w, y(tick))
                d.text(x0 - 5, y(tick) + 3, short(tick), size=9, anchor="end")
        d.line(x0, y0 + h, x0 + w, y0 + h, INK), d.line(x0, y0, x0, y0 + h, INK)
        d.text(x0 + w / 2, y0 + h + 28, f"{x_name}; {y_name} upwards", size=10, anchor="middle")
        for line, colour in zip(series.values(), COLOURS):
            d.path([(x(a), y(b)) for a, b in sorted(line)], colour)
    return str(d)
