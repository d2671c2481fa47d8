"""What a run left in its folder, read without a database."""
