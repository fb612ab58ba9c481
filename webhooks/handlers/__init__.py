"""Handler functions, one behaviour a file: every module in this folder is loaded when the server starts."""
