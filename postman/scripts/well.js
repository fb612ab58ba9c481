pm.test("All is well", () => pm.response.to.have.status(200));
