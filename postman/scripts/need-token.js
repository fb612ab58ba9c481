// A server without WEBHOOK_TOKEN takes events from everybody.
if (!pm.environment.get("webhook-token")) {
    pm.execution.skipRequest();
}
