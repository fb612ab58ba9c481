// A test can fail on two sides: in this response, and in the receiver's response that it reports.
pm.test("Tableau sent a test request", () => pm.response.to.have.status(200));
pm.test("The receiver responded with 200", () => {
    pm.expect(Number(pm.response.json().webhookTestResult.status)).to.equal(200);
});
