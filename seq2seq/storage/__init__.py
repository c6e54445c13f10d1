"""How results lie on the disk: artifacts and their records, locks, the code that made them, what differs."""
