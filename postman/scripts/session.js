pm.test("The session belongs to the site", () => {
    pm.response.to.have.status(200);
    pm.expect(pm.response.json().session.site.id).to.equal(pm.environment.get("site-id"));
});
