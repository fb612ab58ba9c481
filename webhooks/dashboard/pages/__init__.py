"""One module for each page; `webhooks.dashboard.routes` lists them."""
