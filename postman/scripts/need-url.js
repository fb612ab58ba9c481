if (!pm.environment.get("webhook-url")) {
    pm.environment.set("webhook-url", "{{ours}}/webhook/{{webhook-token}}");
}
