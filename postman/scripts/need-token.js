// Without WEBHOOK_TOKEN, the server does not authenticate requests.
if (!pm.environment.get("webhook-token")) {
    pm.execution.skipRequest();
}
