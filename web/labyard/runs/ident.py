"""Names in the folder of a run, known to its process and to its supervisor."""

from pathlib import Path

IDENT = "run"  # of its artifact folder: FOLDER/artifacts/run
EVENTS = "events.jsonl"  # in the artifact folder: one line of JSON for each event
LOG = "process.log"  # what the run's process prints by itself: its own faults
JOB = "job.json"  # what is to be done; who does it renames it, so that it is done once
DIRECT_JOB = "job-direct.json"  # its name when the worker starts the run's process by itself
# Its name from then on, with the number of the run's process and when that started (see start_time).
TAKEN_JOB = "job-{pid}-{started}.json"
ARTIFACTS_VARIABLE = "AWX_ISOLATED_DATA_DIR"  # of a play: its artifact folder, from ansible-runner
CALLBACKS = Path(__file__).resolve().parent / "callback"  # the folder of the callback plugin
