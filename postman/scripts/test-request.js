pm.test("It counts as a test, and nothing is kept", () => {
    pm.response.to.have.status(200);
    pm.expect(pm.response.json()).to.deep.equal({ status: "test" });
});
