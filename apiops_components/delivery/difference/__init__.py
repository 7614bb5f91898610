"""The semantic difference of two states: objects and their fields, not lines of text."""
