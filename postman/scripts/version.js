pm.test("Tableau returns the version of its REST API", () => {
    pm.response.to.have.status(200);
    const offered = pm.response.json().serverInfo.restApiVersion;
    pm.expect(offered).to.match(/^\d+\.\d+$/);
    if (!pm.environment.get("api")) {
        pm.environment.set("api", offered);
    }
});
