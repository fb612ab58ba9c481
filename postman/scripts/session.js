pm.test("The session is on the site that was signed in to", () => {
    pm.response.to.have.status(200);
    pm.expect(pm.response.json().session.site.id).to.equal(pm.environment.get("site-id"));
});
