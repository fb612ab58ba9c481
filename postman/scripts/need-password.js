if (!pm.environment.get("username") || !pm.environment.get("password")) {
    pm.execution.skipRequest();
}
