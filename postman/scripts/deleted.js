pm.test("It is gone", () => {
    pm.response.to.have.status(204);
    pm.environment.set("webhook-id", "");
});
