"""Runs the commands of a page, in their order, in one shell, and holds its outputs against what they print.

    run_page.py PAGE PRELUDE OUTPUT [--write]

A fenced block ```sh is a step that the page shows; a comment <!-- sh ... --> is one that it does not: what goes wrong, and
what must hold afterwards. A step ends with status 0 unless its first line says otherwise (```sh status=1). A block ```text
that comes next, before another step, is what the step prints, to both streams. Ids and numbers may differ from run to run, and
the spaces that align them. PRELUDE is sourced first; OUTPUT gets all that was run and printed. With --write the page gets the
outputs of this run.
"""

import pathlib
import re
import subprocess
import sys

STEP = re.compile(
    r"^```sh(?P<shown_status> status=\d+)?\n(?P<shown>.*?)^```$|^<!-- sh(?P<hidden_status> status=\d+)?\n(?P<hidden>.*?)^-->$"
    r"|^```text\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MARK = "--- end of step "


def normal(text):
    text = re.sub(r"[0-9a-f]{16}-[0-9a-f]{32}|[0-9a-f]{32}", "ID", text)
    text = re.sub(r"\d+(\.\d+)?", "0", text)
    text = re.sub(r"\b(B|KiB|MiB|bytes?)\b", "B", text)
    # Maintenance goes on beside: what it has left to do, and how much garbage there is, differs.
    text = re.sub(r"0 -> 0", "0", text)
    text = re.sub(r"^garbage .*$", "garbage", text, flags=re.MULTILINE)
    return [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]


def steps(page):
    found = []
    for match in STEP.finditer(page):
        if match["text"] is not None:
            if found and found[-1]["text"] is None:
                found[-1]["text"] = match
            continue
        code = match["shown"] if match["shown"] is not None else match["hidden"]
        status = match["shown_status"] or match["hidden_status"] or "status=0"
        line = page.count("\n", 0, match.start()) + 1
        found.append(
            {"code": code, "status": int(status.partition("=")[2]), "line": line, "text": None, "hidden": match["shown"] is None}
        )
    return found


def script(found, prelude):
    """One shell for all of it. Each step is a function, so that it can end with any status and keep its variables."""
    parts = [f"source {prelude}\n"]
    for number, step in enumerate(found):
        parts.append(f"step_{number}() {{\n{step['code']}}}\nstep_{number} 2>&1\n")
        parts.append(f"printf '\\n%s%s %s\\n' '{MARK}' {number} $?\n")
    return "".join(parts)


def main():
    write = "--write" in sys.argv[4:]
    path, prelude, output = (pathlib.Path(argument) for argument in sys.argv[1:4])
    page = path.read_text()
    found = steps(page)
    shell = subprocess.Popen(["bash", "-c", script(found, prelude)], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    number, wrong, printed = 0, [], []
    with output.open("w") as log:
        for line in shell.stdout:
            if not line.startswith(MARK):
                printed.append(line)
                continue
            step, status = found[number], int(line.split()[-1])
            # The mark's own empty line goes.
            said = "".join(printed).removesuffix("\n")
            for text in step["code"].splitlines():
                log.write(f"{'#' if step['hidden'] else '$'} {text}\n")
            log.write(f"{said}[status {status}]\n\n")
            log.flush()
            if status != step["status"]:
                wrong.append(f"line {step['line']}: status {status}, not {step['status']}:\n{step['code']}{said}")
                break
            expected = step["text"]
            if expected is not None and normal(expected["text"]) != normal(said):
                step["said"] = said
                if not write:
                    wrong.append(f"line {step['line']}: the page shows\n{expected['text']}and this was printed\n{said}")
            number, printed = number + 1, []
        else:
            if number < len(found):
                wrong.append(f"line {found[number]['line']}: the shell ended here: {''.join(printed)}")
    shell.stdout.close()
    shell.wait()
    if write:
        for step in reversed(found):
            if "said" in step:
                start, end = step["text"].span("text")
                page = page[:start] + step["said"].rstrip("\n") + "\n" + page[end:]
        path.write_text(page)
    print("\n".join(wrong) if wrong else f"{number} steps of {path.name} run, its outputs are true")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
