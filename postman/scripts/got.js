pm.test("The webhook sends its event to the address", () => {
    pm.response.to.have.status(200);
    const { webhook } = pm.response.json();
    const address = webhook["webhook-destination"]["webhook-destination-http"].url;
    pm.expect(webhook.event).to.equal(pm.environment.get("webhook-event"));
    pm.expect(address).to.equal(pm.variables.replaceIn("{{webhook-url}}"));
});
