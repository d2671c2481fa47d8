"""Running commands: the claim, the queue, one process for each run."""
