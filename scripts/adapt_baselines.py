"""Write tests/golden/adapt_baselines.json anew, and say what changed.

    python scripts/adapt_baselines.py

Look at the difference before committing it: a rate that is reached later, a frame that is lost where none
was, is what the file is there to show.
"""

import json
from pathlib import Path

from punktfunk.measure.network.scenarios import SCENARIOS, summary

PATH = Path(__file__).parent.parent / "tests" / "golden" / "adapt_baselines.json"


def main() -> None:
    """Run every scenario."""
    stored = json.loads(PATH.read_text("utf-8")) if PATH.exists() else {}
    found = {}
    for name, scenario in SCENARIOS.items():
        found[name] = now = summary(scenario.run())
        before = stored.get(name)
        last = now["kbps"][-1]
        print(f"{name}: lost {now['lost']} of {now['frames']}, p99 {now['p99_us']} us, ends at {last} kbit/s")
        if before is not None and before != now:
            changed = [key for key in now if now[key] != before.get(key)]
            print(f"  changed: {', '.join(changed)}")
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(values)}" for name, values in found.items())
    PATH.write_text("{\n" + lines + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
