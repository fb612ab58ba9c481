pm.test("The session is over", () => {
    pm.response.to.have.status(204);
    pm.environment.set("tableau-auth-token", "");
});
