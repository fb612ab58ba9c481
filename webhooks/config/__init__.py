"""Read the settings from the environment, the env file and secret files, and the sites from the sites file."""
