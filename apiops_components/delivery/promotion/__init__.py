"""What is deployed moves as Git commits: from one environment to the next, and back."""
