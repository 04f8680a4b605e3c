"""The child process of the encoder probe: ``python -m punktfunk.realtime.encode.trial NAME...``.

Writes one JSON line per encoder, the fields of ``probe.Trial``.
"""

import json
import sys
from dataclasses import asdict, replace

import av

from punktfunk.realtime.encode.probe import Trial, try_encoder
from punktfunk.realtime.encode.settings import candidate


def main(names: list[str]) -> None:
    """Try each encoder. What FFmpeg said about a failure becomes part of the reason."""
    # Only here: with logging on, every thread of every codec may want the GIL in the middle of a frame.
    av.logging.set_level(av.logging.ERROR)
    for name in names:
        with av.logging.Capture(local=False) as messages:
            trial = try_encoder(candidate(name))
        print(json.dumps(asdict(_with_details(trial, messages))), flush=True)


def _with_details(trial: Trial, messages: list[tuple[int, str, str]]) -> Trial:
    details = list(dict.fromkeys(text.strip() for _, _, text in messages if text.strip()))
    if not trial.reason or not details:
        return trial
    return replace(trial, reason=f"{trial.reason} ({'; '.join(details)[:300]})")


if __name__ == "__main__":
    main(sys.argv[1:])
