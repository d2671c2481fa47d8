"""Names in the folder of a run, known to its process and to its supervisor."""

IDENT = "run"  # of its artifact folder: FOLDER/artifacts/run
EVENTS = "events.jsonl"  # in the artifact folder: one line of JSON for each event
JOB = "job.json"  # what is to be done; who does it renames it, so that it is done once
TAKEN_JOB = "job-{pid}.json"  # its name from then on, with the number of the run's process
