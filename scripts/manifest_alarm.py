"""Reads what `manifest-tool inspect --json` prints of one or more manifests and exits with 1 if somebody should look.

    manifest-tool inspect s3://BUCKET/PREFIX --json | python3 scripts/manifest_alarm.py [--idle-hours N]

A line for each alarm; nothing, and status 0, if there is none. Status 2: what came in is no such output. OPERATIONS.md says
what each number means and what to do. `--idle-hours N`: how long past its retention nothing may have been collected (24).
"""

import argparse
import json
import sys

# fusio-manifest/src/limits.rs
HEAD_BYTES_MAX = 256 * 1024
PINS_MAX = 64


def alarms(seen, idle_hours):
    settings = seen["settings"]
    date = seen["date_unix_ms"]
    objects, runs, pins = len(seen["log"]), len(seen["runs"]), seen["pins"]
    if seen["head_bytes"] > HEAD_BYTES_MAX * 3 // 4:
        yield f"HEAD has {seen['head_bytes']} bytes of {HEAD_BYTES_MAX}: commits will wait for spills"
    if objects >= settings["log_objects_max"]:
        yield f"{objects} log objects: commits fold first; nobody maintains it"
    if runs >= settings["runs_max"]:
        yield f"{runs} runs: commits merge first; nobody maintains it"
    if len(pins) > PINS_MAX * 7 // 8:
        yield f"{len(pins)} pins of {PINS_MAX}"
    expired = [pin["name"] for pin in pins if pin["expires_unix_ms"] and date and pin["expires_unix_ms"] <= date]
    since = seen["since_fence_ms"]
    late_ms = settings["retention_ms"] + idle_hours * 3_600_000
    if since is not None and since > late_ms:
        yield f"no collection for {since // 1000} s, the retention is {settings['retention_ms'] // 1000} s"
        if expired:
            yield f"expired pins are still there: {', '.join(expired)}"
    unknown = seen["reader_features"] | seen["writer_features"]
    if unknown:
        yield f"feature bits {unknown:#x}: a newer version writes it"


def documents(text):
    decoder = json.JSONDecoder()
    while text := text.lstrip():
        seen, end = decoder.raw_decode(text)
        text = text[end:]
        yield seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--idle-hours", type=float, default=24)
    arguments = parser.parse_args()
    found, count = False, 0
    try:
        for seen in documents(sys.stdin.read()):
            count += 1
            for alarm in alarms(seen, arguments.idle_hours):
                found = True
                print(f"{seen['place']}: {alarm}")
    except (KeyError, TypeError, ValueError) as error:
        print(f"error: this is not what inspect --json prints: {error!r}", file=sys.stderr)
        return 2
    if count == 0:
        print("error: nothing to read: inspect failed", file=sys.stderr)
        return 2
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
