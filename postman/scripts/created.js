pm.test("The webhook is created and enabled", () => {
    pm.response.to.have.status(201);
    const { webhook } = pm.response.json();
    pm.environment.set("webhook-id", webhook.id);
    pm.expect(webhook.name).to.equal(pm.environment.get("webhook-name"));
    pm.expect(webhook.event).to.equal(pm.environment.get("webhook-event"));
    pm.expect(String(webhook.isEnabled)).to.equal("true");
});
