"""The commands of `labyard`, by where they work: on this machine, or on a console over REST."""
