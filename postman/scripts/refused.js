pm.test("The request is refused with STATUS and a reason", () => {
    pm.response.to.have.status(STATUS);
    pm.expect(pm.response.headers.get("Content-Type")).to.include("application/problem+json");
    pm.expect(pm.response.json().status).to.equal(STATUS);
});
