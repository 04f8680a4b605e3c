"""``punktfunk doctor``: print what was found."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from punktfunk.config_loading import load_settings
from punktfunk.control.doctor import can_stream, examine
from punktfunk.control.doctor.finding import Finding, Status
from punktfunk.log import printable

COLOURS = {Status.OK: "32", Status.DEGRADED: "33", Status.MISSING: "31"}


def doctor(state: Path | None, config_file: Path | None, *, as_json: bool) -> bool:
    """Examine the machine and print the findings; tell whether serve could stream."""
    settings = load_settings({"state": state}, file=config_file).settings
    findings = examine(settings, _show_progress)
    _show_progress("")
    streams = can_stream(findings)
    if as_json:
        rows = [asdict(finding) | {"status": finding.status.value} for finding in findings]
        print(json.dumps({"can_stream": streams, "findings": rows}, indent=2))
    else:
        print("\n".join(lines_of(findings, colours=sys.stdout.isatty())))
    return streams


def lines_of(findings: Sequence[Finding], *, colours: bool) -> list[str]:
    """Write the report: status, check and what was found; consequence and remedy indented below."""
    width = max(len(finding.check) for finding in findings)
    lines: list[str] = []
    for finding in findings:
        status = f"{finding.status.value:<9}"
        if colours:
            status = f"\x1b[{COLOURS[finding.status]}m{status}\x1b[0m"
        lines.append(f"{status} {finding.check:<{width}}  {printable(finding.found)}")
        indent = " " * (width + 12)
        lines += [f"{indent}{line}" for line in finding.consequence.splitlines()]
        lines += [f"{indent}> {line}" for line in finding.remedy.splitlines()]
    degraded = sum(finding.status is not Status.OK for finding in findings)
    verdict = "serve can stream" if can_stream(findings) else "serve cannot stream"
    lines.append(f"\n{verdict}" + (f"; {degraded} lines above could be better" if degraded else ""))
    return lines


def _show_progress(check: str) -> None:
    """Show on a terminal what is being looked at, on a line that disappears."""
    if sys.stderr.isatty():
        text = f"looking at {check} ..." if check else ""
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
