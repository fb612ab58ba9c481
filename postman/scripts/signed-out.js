pm.test("The session has ended", () => {
    pm.response.to.have.status(204);
    pm.environment.set("tableau-auth-token", "");
});
