#!/usr/bin/env bash
# Whether the report of a run stands by itself: no reference that a browser would fetch, no script, tags that close, and
# in every plot, in the page and beside it, text, a shape and numbers that are numbers.
#
# A run of test_faults must have the picture of its faults, for a desk and for a phone, in the page and beside it, with every
# panel and, if there was an outage, the milliseconds of the recovery.
#
#   scripts/check_report.sh FOLDER ...    or a page by itself
set -euo pipefail

(($# >= 1)) || {
    echo "usage: check_report.sh FOLDER ..." >&2
    exit 2
}

python3 - "$@" <<'PYTHON'
import csv
import html.parser
import pathlib
import re
import sys
import xml.etree.ElementTree as ET

SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "link", "br", "hr", "img", "input"}
FETCHING = {"src", "srcset", "href", "action", "data", "poster", "xlink:href"}
problems = []


def css(where, text):
    for found in re.findall(r"@import[^;]*|url\([^)]*\)", text):
        problems.append(f"{where}: the style fetches {found}")


class Page(html.parser.HTMLParser):
    def __init__(self, where):
        super().__init__()
        self.where, self.open, self.ids = where, [], set()

    def handle_starttag(self, tag, attributes):
        self.look(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.look(tag, attributes)

    def look(self, tag, attributes):
        if tag in {"script", "iframe", "object", "embed", "base"}:
            problems.append(f"{self.where}: <{tag}>")
        for name, value in attributes:
            value = value or ""
            if name in FETCHING and not value.startswith(("data:", "#")):
                problems.append(f"{self.where}: <{tag} {name}={value!r}> would be fetched")
            if name.startswith("on"):
                problems.append(f"{self.where}: <{tag} {name}> is a script")
            if name == "style":
                css(self.where, value)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            problems.append(f"{self.where}:{self.getpos()[0]}: </{tag}> closes nothing that is open")

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            css(self.where, data)


def plot(where, text):
    try:
        root = ET.fromstring(text)
    except ET.ParseError as error:
        problems.append(f"{where}: not well-formed: {error}")
        return
    if root.tag != f"{SVG}svg":
        problems.append(f"{where}: its root is {root.tag}")
    if not (root.findtext(f"{SVG}title") and root.findtext(f"{SVG}desc")):
        problems.append(f"{where}: no title or no description")
    shapes = {f"{SVG}{name}" for name in ("path", "circle", "polygon", "rect")}
    if not any(element.tag in shapes for element in root.iter()):
        problems.append(f"{where}: an empty plot")
    if not any(element.tag == f"{SVG}text" for element in root.iter()):
        problems.append(f"{where}: a plot without text")
    for element in root.iter():
        css(where, element.text or "" if element.tag == f"{SVG}style" else "")
        for name, value in element.attrib.items():
            if re.search(r"\b(NaN|inf)\b", value):
                problems.append(f"{where}: {element.tag} {name}={value!r}")
            if name.endswith("href"):
                problems.append(f"{where}: {element.tag} refers to {value!r}")


PANELS = ("aults that fired|No fault fired", "Response time", "Lost races and retries", "Due and not answered",
          "What clients were told", "commit is accounted for")


def faults(folder, page):
    timeline = folder / "test_faults_timeline.csv"
    if not timeline.is_file():
        problems.append(f"{timeline} is not there")
        return
    with timeline.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    recovered = [row for row in rows if row["what"] == "recovery"]
    if any(row["what"] == "outage" for row in rows) and not recovered:
        problems.append(f"{timeline}: an outage, and nothing of the recovery")
    said = [f"after {float(row['seconds']) * 1000:,.0f} ms" for row in recovered]
    for name in ("faults.svg", "faults_narrow.svg"):
        path = folder / name
        if not path.is_file():
            problems.append(f"{path} is not there")
            continue
        text = path.read_text(encoding="utf-8")
        for panel in (*PANELS, *said):
            if not re.search(panel, text):
                problems.append(f"{path}: it does not show {panel!r}")
        if "<rect class=\"band\"" not in text and recovered:
            problems.append(f"{path}: no band shows the outage")
    if page.count("What broke, and what became of the commits</title>") != 2:
        problems.append(f"{folder}: the picture of the faults is not in the report, for a desk and for a phone")


for folder in map(pathlib.Path, sys.argv[1:]):
    report = folder if folder.is_file() else folder / "report.html"
    if not report.is_file():
        problems.append(f"{report} is not there")
        continue
    text = report.read_text(encoding="utf-8")
    page = Page(report)
    page.feed(text)
    page.close()
    if page.open:
        problems.append(f"{report}: never closed: {page.open}")
    inside = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    beside = sorted(folder.glob("*.svg"))
    for number, svg in enumerate(inside, 1):
        plot(f"{report}, plot {number}", svg)
    for path in beside:
        plot(path, path.read_text(encoding="utf-8"))
    if folder.is_dir() and len(inside) != len(beside):
        problems.append(f"{folder}: {len(inside)} plots in the report, {len(beside)} beside it")
    if (folder / "test_faults.result.json").is_file():
        faults(folder, text)
    print(f"{report}: {len(text)} bytes, {len(inside)} plots")

for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))
PYTHON
