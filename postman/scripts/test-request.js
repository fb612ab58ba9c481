pm.test("It is a test request, and nothing is stored", () => {
    pm.response.to.have.status(200);
    pm.expect(pm.response.json()).to.deep.equal({ status: "test" });
});
