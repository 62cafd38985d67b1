"""Records the histories of this release: `python tools/record_histories.py` (`make record`), once, before a release.

It plays every story of tests/support/golden.py on a server of its own and writes tests/histories/<version>/<story>.json.gz.
A folder that is there is left alone: what was recorded stays as it is for ever.
"""

import asyncio
import os
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Below the line above, because a tool is started from anywhere.
from runtime.devserver import DevServer, client_of
from tests.support.clock import Clock
from tests.support.golden import STORIES, Stage
from tests.support.recorded import FOLDER, histories_of, keep, sum_up
from tests.support.shell import Edge, a_worker

QUEUE = "golden"
PATIENCE = 600
"""Seconds for one story."""


async def record(folder: Path) -> int:
    """Plays the stories and keeps their histories; how many there are."""
    count = 0
    with tempfile.TemporaryDirectory() as data:
        async with DevServer(Path(data), ui=False, time_skipping=True) as server:
            client = await client_of(server)
            stage = Stage(client, Clock(client), Path(data), QUEUE)
            async with a_worker(client, Edge(), QUEUE):
                for story in STORIES:
                    runs = await asyncio.wait_for(story(stage), PATIENCE)
                    names, stage.names = stage.names, []
                    for name, run in zip(names, runs, strict=True):
                        for n, history in enumerate(await histories_of(client, run), 1):
                            keep(history, folder / f"{name}-{n}.json.gz")
                            count += 1
                    print(f"{story.__name__}: {len(runs)} runs", file=sys.stderr, flush=True)
    return count


def main() -> int:
    """Records this release; the exit code."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    folder = FOLDER / version
    if folder.exists():
        print(f"{folder.relative_to(ROOT)} is recorded already and stays as it is.", file=sys.stderr)
        return 65
    count = asyncio.run(record(folder))
    sum_up(folder)
    print(f"{count} histories in {folder.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # the SDK's native threads can abort an interpreter that ends in the ordinary way
