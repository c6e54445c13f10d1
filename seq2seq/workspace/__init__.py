"""What lies in a workspace: artifacts and their records, what is stale and why, runs, and what may go."""
