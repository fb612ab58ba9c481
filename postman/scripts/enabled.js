pm.test("The webhook is enabled again", () => {
    pm.expect(pm.response.code).to.be.oneOf([200, 201]);
    pm.expect(String(pm.response.json().webhook.isEnabled)).to.equal("true");
});
