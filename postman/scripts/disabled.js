pm.test("The webhook is disabled, with the reason", () => {
    pm.expect(pm.response.code).to.be.oneOf([200, 201]);
    const { webhook } = pm.response.json();
    pm.expect(String(webhook.isEnabled)).to.equal("false");
    pm.expect(webhook.statusChangeReason).to.equal("Disabled from Postman");
});
