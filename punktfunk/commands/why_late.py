"""``punktfunk why-late``: name the causes of the worst frames of a running host, or of recordings."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from punktfunk.commands.admin import ask
from punktfunk.errors import ConfigError, EnvironmentProblem, Misuse
from punktfunk.log import printable
from punktfunk.measure.flight.causes import Findings, Late, judge
from punktfunk.measure.flight.timeline import check_recording, join, read_recordings
from punktfunk.measure.flight.trace import trace

_MS = 1_000_000
ANSWER_S = 30.0


def why_late(
    files: Sequence[Path],
    state: Path | None,
    *,
    worst: int,
    over_ms: float | None,
    trace_file: Path | None,
    save_file: Path | None,
    as_json: bool,
) -> None:
    """Read what was recorded, judge it, show it."""
    if not 1 <= worst <= 10_000:
        raise Misuse(f"--worst {worst} is out of range", hint="It may be 1 to 10000.")
    recordings = read_recordings(files) if files else _of_host(state)
    if save_file is not None:
        _write(save_file, {"recordings": recordings})
    chosen = _chosen(recordings)
    flights = join(chosen)
    if not flights:
        raise EnvironmentProblem("nothing was recorded yet", hint="Stream for a few seconds first.")
    findings = judge(flights, None if over_ms is None else round(over_ms * _MS))
    if trace_file is not None:
        _write(trace_file, trace(flights, findings))
    if as_json:
        print(json.dumps(_plain(findings, worst), indent=1))
        return
    names = " and ".join(f"{recording['side']} {printable(str(recording['name']))}" for recording in chosen)
    print(f"{len(flights)} frames of {names}")
    print(_words(findings, worst))


def _of_host(state: Path | None) -> list[dict[str, Any]]:
    found = ask(state, {"verb": "flight"}, ANSWER_S)["recordings"]
    if not found:
        raise EnvironmentProblem(
            "the host has recorded no session since it started",
            hint="Stream for a few seconds, with `punktfunk connect` or with Moonlight, then ask again.",
        )
    return [check_recording(entry, "the host's answer") for entry in found]


def _chosen(recordings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take one recording of each side: the pair that has most frames in common, else the newest."""
    hosts = [entry for entry in recordings if entry["side"] == "host"]
    clients = [entry for entry in recordings if entry["side"] == "client"]
    if not hosts or not clients:
        return (hosts or clients)[:1]

    def common(host: dict[str, Any], client: dict[str, Any]) -> int:
        return len({row[0] for row in host["rows"]} & {row[0] for row in client["rows"]})

    pairs = [(host, client) for host in hosts for client in clients]
    host, client = max(pairs, key=lambda pair: common(*pair))
    if not common(host, client):
        raise ConfigError(
            "these recordings have no frame in common",
            hint="Record both ends of the same session, at the same time; or give one file alone.",
        )
    return [host, client]


def _words(findings: Findings, worst: int) -> str:
    usual = ", ".join(f"{name} {value / _MS:.2f}" for name, value in findings.usual_ns.items())
    late_count = sum(findings.tally.values())
    limit = f"{findings.limit_ns / _MS:.1f} ms"
    lines = [f"usual: {findings.usual_total_ns / _MS:.2f} ms (ms by stage: {usual})"]
    lines.append(f"late by more than {limit}: {late_count} of {len(findings.frames) + findings.lost_count}")
    lines += [f"  {count:5d}  {cause}" for cause, count in findings.tally.most_common()]
    lines += ["", "the worst:", *(_line(late) for late in findings.worst(worst) if late.over_ns > 0)]
    return "\n".join(lines)


def _line(late: Late) -> str:
    index = late.flight.facts.get("frame_index")
    which = f"frame {index}" if index is not None else f"pts {late.flight.pts_ns}"
    times = f"{late.total_ns / _MS:8.2f} ms, {late.over_ns / _MS:+8.2f}"
    return f"  {which:>16}  {times}  {late.cause}: {late.words}"


def _plain(findings: Findings, worst: int) -> dict[str, Any]:
    return {
        "frames": len(findings.frames),
        "lost": findings.lost_count,
        "limit_ns": findings.limit_ns,
        "usual_total_ns": findings.usual_total_ns,
        "usual_ns": findings.usual_ns,
        "causes": dict(findings.tally.most_common()),
        "worst": [
            {
                "pts_ns": late.flight.pts_ns,
                "total_ns": late.total_ns,
                "over_ns": late.over_ns,
                "cause": late.cause,
                "words": late.words,
                "stages_ns": late.stages_ns,
                "facts": late.flight.facts,
            }
            for late in findings.worst(worst)
        ],
    }


def _write(path: Path, values: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values) + "\n", "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be written: {error.strerror}", hint="Name a file that you may write."
        ) from error
