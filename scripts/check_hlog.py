"""Reads the interval logs of a run with another implementation of HdrHistogram, and holds them against its CSVs:
for each cell and outcome the counts, p50 and p99 must be the same.

    target/ci-tools/bin/python scripts/check_hlog.py FOLDER ...
"""

import csv
import math
import pathlib
import sys

from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

LONGEST_US = 60_000_000

LOST = [
    "attempts_lost_race",
    "attempts_lost_conflict",
    "attempts_head_missing",
    "attempts_own_earlier_success",
]

# What the files of numbers say of a tag: the columns whose sum is its count, and those of p50 and p99 in ms, the
# CSV's before those of the details.
TAGS = {
    "writer-committed": (
        ["write_response_samples"],
        {50: ["write_p50_ms", "write_response_p50_ms"], 99: ["write_p99_ms", "write_response_p99_ms"]},
    ),
    "writer-lost": (LOST, {50: ["precond_p50_ms"], 99: ["precond_p99_ms"]}),
    "writer-given_up": (["total_max_retries_exceeded"], {}),
    "writer-failed": (["writes_failed"], {}),
    "writer-unknown": (["writes_unknown"], {}),
    "reader-read": (
        ["read_response_samples"],
        {50: ["read_p50_ms", "read_response_p50_ms"], 99: ["read_p99_ms", "read_response_p99_ms"]},
    ),
    "reader-failed": (["reads_failed"], {}),
    "floor_put-committed": (
        ["floor_put_samples"],
        {50: ["floor_put_p50_ms"], 99: ["floor_put_p99_ms"]},
    ),
    "floor_get-read": (["floor_get_samples"], {50: ["floor_get_p50_ms"], 99: ["floor_get_p99_ms"]}),
}


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def totals(path):
    """The intervals of each tag, added up."""
    reader = HistogramLogReader(str(path), HdrHistogram(1, LONGEST_US, 3))
    sums = {}
    while (interval := reader.get_next_interval_histogram()) is not None:
        tag = interval.get_tag()
        if tag not in sums:
            sums[tag] = HdrHistogram(1, LONGEST_US, 3)
        sums[tag].add(interval)
    reader.close()
    return sums


def percentile_ms(histogram, percent):
    """The value that this many percent do not exceed. Readers differ in how they round the rank; the CSV rounds up."""
    count = histogram.get_total_count()
    rank = max(1, math.ceil(percent * count / 100))
    value = histogram.get_value_at_percentile(100 * rank / count)
    return min(value, LONGEST_US) / 1000


def check(log):
    stem = log.name.removesuffix(".hlog")
    cells = rows(log.with_name(f"{stem}.csv"))
    details = rows(log.with_name(f"{stem}_detail.csv"))
    sums = totals(log)
    problems, compared = [], 0
    for cell, detail in zip(cells, details, strict=True):
        label = cell["config_label"]
        if detail["config_label"] != label:
            problems.append(f"the rows of {label} stand in different places")
        numbers = {**detail, **cell}
        for name, (counts, percentiles) in TAGS.items():
            tag = f"{label}-{name}"
            histogram = sums.pop(tag, None)
            logged = histogram.get_total_count() if histogram else 0
            told = sum(int(numbers[column]) for column in counts)
            compared += 1
            if logged != told:
                problems.append(f"{tag}: {logged} in the log, {told} in the CSV")
            for percent, columns in percentiles.items():
                logged = percentile_ms(histogram, percent) if histogram else None
                for column in columns:
                    told = float(numbers[column]) if numbers[column] else None
                    compared += 1
                    if logged != told:
                        problems.append(f"{tag}: p{percent} is {logged} in the log, {column} is {told}")
    problems.extend(f"{tag}: no row tells of it" for tag in sums)
    return problems, compared


def main(folders):
    logs = [log for folder in folders for log in sorted(pathlib.Path(folder).glob("*.hlog"))]
    if not logs:
        sys.exit(f"check_hlog.py: no interval log in {', '.join(folders) or 'no folder'}")
    failed = False
    for log in logs:
        problems, compared = check(log)
        for problem in problems:
            print(f"{log}: {problem}")
        print(f"{log.name}: {compared} numbers compared, {len(problems)} differ")
        failed = failed or bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
