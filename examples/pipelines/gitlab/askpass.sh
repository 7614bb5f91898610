#!/bin/sh
# What git calls for a password.
printf '%s\n' "$GITLAB_PUSH_TOKEN"
