pm.test("The webhook is deleted", () => {
    pm.response.to.have.status(204);
    pm.environment.set("webhook-id", "");
});
