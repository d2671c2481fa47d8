"""The platform at 100, 1,000 and 10,000 notebooks: measured unit costs, and what follows."""
