"""Output for people: terminal colours, notebook HTML, matplotlib."""
