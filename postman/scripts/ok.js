pm.test("The server responds with 200", () => pm.response.to.have.status(200));
