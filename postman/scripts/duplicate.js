pm.test("It is a duplicate of the same event", () => {
    pm.response.to.have.status(200);
    const { status, event } = pm.response.json();
    pm.expect(status).to.equal("duplicate");
    pm.expect(String(event)).to.equal(pm.collectionVariables.get("event"));
});
