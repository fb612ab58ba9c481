pm.test("Tableau returns a session", () => {
    pm.response.to.have.status(200);
    const { token, site } = pm.response.json().credentials;
    pm.expect(token).to.be.a("string").and.not.empty;
    pm.environment.set("tableau-auth-token", token);
    pm.environment.set("site-id", site.id);
});
