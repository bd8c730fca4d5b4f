"""Output for people: terminal colours, HTML for notebooks, pictures."""
