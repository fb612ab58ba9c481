pm.test("The event is stored", () => {
    pm.response.to.have.status(200);
    const { status, event } = pm.response.json();
    pm.expect(status).to.equal("accepted");
    pm.collectionVariables.set("event", String(event));
});
pm.test("The response came within Tableau's time limit", () => pm.expect(pm.response.responseTime).to.be.below(3000));
pm.collectionVariables.set("sent-at", pm.variables.get("created-at"));
