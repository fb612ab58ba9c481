"""The resources of the REST API and the Metadata API, one module each; importing a module registers its routes."""
