"""A small program that behaves like a Mattermost server as far as plugins, their settings and their directories go."""
