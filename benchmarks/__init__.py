"""What `make bench` runs. Each benchmark prints a table; compared are ratios of one and the same run."""
