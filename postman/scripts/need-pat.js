if (!pm.environment.get("pat-name") || !pm.environment.get("pat-secret")) {
    pm.execution.skipRequest();
}
