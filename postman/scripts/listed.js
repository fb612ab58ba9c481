pm.test("Ours is among the site's webhooks", () => {
    pm.response.to.have.status(200);
    // One of a kind may come as an object, several as a list.
    const found = [].concat((pm.response.json().webhooks || {}).webhook || []);
    pm.expect(found.map((webhook) => webhook.id)).to.include(pm.environment.get("webhook-id"));
});
