"""What a project needs to test what it builds from these components."""
