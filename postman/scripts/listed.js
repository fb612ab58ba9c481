pm.test("The webhook is in the list", () => {
    pm.response.to.have.status(200);
    // A single webhook may be an object instead of a list.
    const found = [].concat((pm.response.json().webhooks || {}).webhook || []);
    pm.expect(found.map((webhook) => webhook.id)).to.include(pm.environment.get("webhook-id"));
});
