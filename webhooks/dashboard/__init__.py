"""The pages: rendered on the server, without a build step and without requests to other servers."""
