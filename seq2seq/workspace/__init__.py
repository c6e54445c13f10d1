"""What there is in a workspace: what is stale and why, runs, models with their scores, and what may go."""
